"""One module a tab, what they have in common, and the dialogs."""
