"""What the watchdog shows of itself over HTTP: whether it lives, whether it is ready, and its metrics.

Law: read-only; recording is a plain call that never waits, and nothing in here knows the loop that calls it.
"""
