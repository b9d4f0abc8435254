"""One module a command, and what commands share.

Law: a command says what it did, or why it did not, and ends with one of `exit_codes`. From a person's machine only
pause, resume, trust, rollback and undo write to the cluster: the first three annotations that anybody could write with
kubectl, the other two what the watchdog writes, by its guards and its plan.
"""
