"""Tests of real programs in real pseudo-terminals."""
