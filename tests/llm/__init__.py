"""Back ends, against servers that go wrong in every way that is known."""
