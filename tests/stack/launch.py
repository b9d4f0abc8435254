"""Becomes another program that cannot outlive its parent, and that may run as another user.

Law: when the parent is gone, by whatever death, this process is gone too.

``python launch.py PARENT UID GID COMMAND…`` (UID -1: stay who you are). It is a program of its own because a
``preexec_fn`` is not safe in a process that has threads, and because the order counts: a change of user clears the
death signal, so that it is set last.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, user: int, group: int, command: list[str]) -> None:
    """Changes the user, ties this process to its parent's life and becomes the command."""
    if user >= 0:
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit("the kernel refused PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    os.execvp(command[0], command)  # noqa: S606 - there must be no shell between the parent and the server


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
