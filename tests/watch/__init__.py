"""The loop of one target, and what it remembers."""
