"""Who else runs an application on the same data directory: a locked file, for as long as the process lives.

Running an application twice is allowed, since the processes then share its topics like replicas; but it is rarely
meant, so it is told. The lock ends with the process, however it ends.
"""

from __future__ import annotations

import os
import re
from pathlib import Path


class Lease:
    """This process's mark on one application in a data directory."""

    def __init__(self, data_directory: Path, application_id: str) -> None:
        safe = re.sub(r"[^A-Za-z0-9._-]", lambda match: f"%{ord(match.group()):02x}", application_id)
        self._file = data_directory / "running" / f"{safe}.lock"
        self._descriptor: int | None = None

    def take(self) -> int | None:
        """Mark the application as running here. The id of a process that did so before and still runs, or None."""
        import fcntl

        self._file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 20)
            os.close(descriptor)
            return int(text) if text.isdigit() else 0
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return None

    def release(self) -> None:
        """Let go of the mark."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
