"""A rollback, and everything that can go wrong between the watchdog and the API server."""
