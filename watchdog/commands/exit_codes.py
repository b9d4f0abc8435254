"""What a command's exit code says to a script."""

OK = 0
FINDINGS = 1
"""Something is wrong with what the command was to look at, or it could not do what it was asked to."""
USAGE = 2
"""Something is wrong with what was typed, or with the settings."""
UNREACHABLE = 3
"""A server does not answer, or does not let you."""
