"""Tests of the sources: tables for what is pure, hand-made servers for the traps, real servers for the truth."""
