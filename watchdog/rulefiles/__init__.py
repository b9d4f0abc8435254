"""The rule files on disk: read at the start, and again when they change.

Law: what is in force is one whole set that was well formed; a bad file never replaces a good set.

`ruleset` reads a set, `reload` does so again, `news` tells what became of it, and `subpath` recognizes a mount that
never changes.
"""
