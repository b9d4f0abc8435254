"""Measures on real servers: numbers to compare and to look at; nothing here passes or fails."""
