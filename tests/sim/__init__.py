"""The simulator by itself."""
