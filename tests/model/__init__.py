"""Properties of the nouns, the filter language and the cleaner of text."""
