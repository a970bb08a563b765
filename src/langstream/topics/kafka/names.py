"""Names by which the brokers know a client again after a restart: each is used once at a time in this process."""

from __future__ import annotations

import re
import socket
import uuid
from typing import Final

_NUMBERED: Final = re.compile(r"(?P<stem>.*)-(?P<number>\d+)")


class Names:
    """Those in use. Two replicas of a node that ask for the same name get neighbouring ones."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def take(self, wanted: str) -> str:
        """The name, or the next free one: `a-0`, `a-1`, … and `a`, `a-1`, …"""
        name, numbered = wanted, _NUMBERED.fullmatch(wanted)
        stem, number = (numbered["stem"], int(numbered["number"])) if numbered else (wanted, 0)
        while name in self._used:
            number += 1
            name = f"{stem}-{number}"
        self._used.add(name)
        return name

    def give_back(self, name: str) -> None:
        """Free again."""
        self._used.discard(name)


def alone(name: str) -> str:
    """A name that nobody else has, in place of one that another process has taken."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def host() -> str:
    """The name of this host; of the pod, on Kubernetes."""
    return socket.gethostname()
