"""Which replica watches which targets.

Law: of two replicas at most one may write for a target, whatever the network and the clocks do.

`elector` holds the Leases, `shards` says whose targets they are, and `standing` tells people which are held.
"""
