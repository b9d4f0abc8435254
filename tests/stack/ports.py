"""Free loopback ports that nobody else takes between choosing and binding.

Law: a port is given out once on this machine for as long as the test run lives, and never lies in the range from which
the kernel picks ports for outgoing connections.
"""

from __future__ import annotations

import random
import socket
from pathlib import Path

FIRST = 15000
EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")

_claims: list[socket.socket] = []


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on; it stays ours until this process ends."""
    ports = list(range(FIRST, _last()))
    random.shuffle(ports)
    for port in ports:
        claim = _claim(port)
        if claim is None:
            continue
        if _is_free(port):
            _claims.append(claim)
            return port
        claim.close()
    raise OSError("no free port on 127.0.0.1 below the ephemeral range")


def _claim(port: int) -> socket.socket | None:
    """Binds a name that the kernel takes back when this process ends: parallel test runs see each other's."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0canary-watchdog-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what only waits in TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _last() -> int:
    try:
        return int(EPHEMERAL.read_text().split()[0])
    except FileNotFoundError:
        return 32768
