"""kill -9 at random moments, and many programs at once."""
