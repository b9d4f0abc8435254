"""What the watchdog shows of itself, asked over HTTP."""
