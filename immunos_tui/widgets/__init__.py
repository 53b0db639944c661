"""Views of model objects. Nothing here reads a file, a socket or a database."""
