"""The commands, as a person and as a script use them."""
