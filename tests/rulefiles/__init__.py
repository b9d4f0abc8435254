"""The rule files on disk."""
