"""Stories: the watchdog as a process, on real servers, with the banking application under load."""
