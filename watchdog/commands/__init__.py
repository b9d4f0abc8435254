"""What people do from their own machine: pause, resume, trust, history.

Law: a command changes annotations that anybody could write with kubectl, and nothing else; the watchdog decides what
follows. What it would not believe itself is not done, and what was done is read back before it is said.
"""
