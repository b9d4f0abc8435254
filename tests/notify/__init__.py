"""How people are told, against a real HTTP server."""
