"""Names by which the brokers know a client again after a restart: each is used once at a time on this host.

A process marks its names by locked files, which the system unlocks when it ends, however it ends. So the process that
is started in place of one that was killed gets the same names, and finishes what that one left open.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Final

_NUMBERED: Final = re.compile(r"(?P<stem>.*)-(?P<number>\d+)")


class Names:
    """Those in use. Two replicas of a node that ask for the same name get neighbouring ones."""

    def __init__(self) -> None:
        self._used: dict[str, int | None] = {}

    def take(self, wanted: str) -> str:
        """The name, or the next free one: `a-0`, `a-1`, … and `a`, `a-1`, …"""
        name, numbered = wanted, _NUMBERED.fullmatch(wanted)
        stem, number = (numbered["stem"], int(numbered["number"])) if numbered else (wanted, 0)
        while name in self._used or not self._mark(name):
            number += 1
            name = f"{stem}-{number}"
        return name

    def give_back(self, name: str) -> None:
        """Free again."""
        file = self._used.pop(name, None)
        if file is not None:
            os.close(file)

    def _mark(self, name: str) -> bool:
        """False if another process has it. Where files cannot be locked, nobody knows of others."""
        try:
            file = _opened(name)
        except OSError:
            self._used[name] = None
            return True
        if not _locked(file):
            os.close(file)
            return False
        self._used[name] = file
        return True


def _opened(name: str) -> int:
    folder = Path(tempfile.gettempdir()) / f"langstream-names-{os.getuid() if hasattr(os, 'getuid') else 0}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return os.open(folder / hashlib.sha256(name.encode()).hexdigest()[:32], os.O_RDWR | os.O_CREAT, 0o600)


def _locked(file: int) -> bool:
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def alone(name: str) -> str:
    """A name that nobody else has, in place of one that another process has taken."""
    return f"{name}-{uuid.uuid4().hex[:8]}"


def host() -> str:
    """The name of this host; of the pod, on Kubernetes."""
    return socket.gethostname()
