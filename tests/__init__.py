"""The tests of the watchdog."""
