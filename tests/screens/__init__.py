"""The screens as an operator drives them: keys in, and both the screen and the database looked at."""
