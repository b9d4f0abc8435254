"""Plays data through the rules: unit tests of a rule file, and its past.

Law: pure. The slots, the evaluation, the decision and the plan are the core's own; whoever asks a server does so
outside and hands the answers in. What is made up here is the world that they act on.
"""
