"""Data played through the rules: their unit tests, and their past."""
