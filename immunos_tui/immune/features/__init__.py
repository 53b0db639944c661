"""Feature pipelines for text, log lines and source code."""
