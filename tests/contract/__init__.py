"""The simulator held to the real servers: the same requests, the same answers."""
