"""immunos-tui: train anomaly detectors, watch, triage and ask, in one terminal, with no network."""

__version__ = "0.1.0"
