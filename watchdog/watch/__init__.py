"""Watches targets: measures their rules, decides by the core, and carries the rollbacks out.

Law: each target has a loop of its own, and at most one write under way.

`roster` begins and ends the watches. `loop` is the tick of one target, `lookout` its eyes, `evidence` its measuring,
`trip_runner` its acting and `recollection` its journal; `announce` says what happened. `fleet` counts the rollbacks of
all targets, and `orphans` finds those that have no rule file.
"""
