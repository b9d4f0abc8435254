"""Lets ``python -m watchdog`` be the command."""

from watchdog.cli import main

main()
