"""canary-watchdog: watches blue/green releases on Kubernetes and rolls a bad one back by itself."""

__version__ = "0.1.0"
