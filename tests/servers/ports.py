"""Ports for servers of tests. Standard library only."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_chance = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on at the moment, all different.

    They are not among those that the system gives to clients: a server that takes its time to start, or is stopped for
    a while, would find its port in use as the other end of somebody's connection.
    """
    try:
        beyond = int(_EPHEMERAL.read_text().split()[0])
    except OSError:
        beyond = 32_768
    found: list[int] = []
    while len(found) < count:
        port = _chance.randrange(_LOWEST, max(beyond, _LOWEST + 10_000))
        if port not in found and _is_free(port):
            found.append(port)
    return found


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
