"""A cluster, a Prometheus and an Elasticsearch in one process, spoken to over HTTP by the shipped clients.

Law: what is answered is what the real server would answer; what cannot be answered so is refused with 501 and the
words "not simulated", never guessed. The daemon never imports this package.

`watchdog.sim.world` starts it all. ``tests/contract`` replays the same exchanges against the real servers.
"""
