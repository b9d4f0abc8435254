"""The code that talks to the API server, on a real one."""
