"""How people are told: an outbox, and one module a sink.

Law: telling never delays, blocks or fails what the watchdog does; a webhook's address is a secret everywhere in here.
"""
