"""``watchdog demo``: a bad release and its rollback, on a simulated cluster, by the shipped daemon.

Law: nothing in here decides or switches; the daemon does, over HTTP, as it would in a cluster.
"""
