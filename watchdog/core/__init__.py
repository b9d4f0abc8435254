"""What the watchdog thinks: rules, measurements, decisions and plans, as pure functions of values.

Law: nothing in here awaits, reads a clock, logs or does I/O; ``now`` is always a parameter.
"""
