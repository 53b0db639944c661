"""The command line: every screen's twin, over the same services, without textual."""
