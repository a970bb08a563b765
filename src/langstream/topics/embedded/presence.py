"""Which processes are alive: a locked file each, in the data directory.

The lock ends with the process, however it ends, so that others take over at once. A process that hangs keeps its
lock, but no longer touches its file; after the session timeout it counts as gone. Neither costs a transaction.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

DIRECTORY: Final = "members"
STALE_SECONDS: Final = 60.0
"""A file that was not locked for so long never will be."""


class Presence:
    """This process's file, and a look at those of others. Both threads of a log use it."""

    def __init__(self, data_directory: Path, session_timeout_seconds: float) -> None:
        self.process = uuid.uuid4().hex
        self._directory = data_directory / DIRECTORY
        self._timeout = session_timeout_seconds
        self._announcing = threading.Lock()
        self._descriptor: int | None = None
        self._seen: int | None = None
        self._changed: int | None = None
        self._alone = False
        self.comings = 0
        """How often processes were seen to come or go; one that came and left between two looks counts too."""

    def announce(self) -> None:
        """Create and lock the file, or show that this process still runs."""
        with self._announcing:  # the writing and the reading thread may both be first
            self._seen = None  # two changes within one tick of the file system's clock look like one
            if self._descriptor is not None and os.fstat(self._descriptor).st_nlink == 0:
                os.close(self._descriptor)  # others took this process for dead while it hung
                self._descriptor = None
            if self._descriptor is None:
                self._descriptor = self._create()
            else:
                os.utime(self._descriptor)

    def _create(self) -> int:
        self._directory.mkdir(exist_ok=True)
        self.sweep()
        file = self._file(self.process)
        hidden = file.with_suffix(".new")  # nobody sees the file before it is locked
        descriptor = os.open(hidden, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(file)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def is_alone(self) -> bool:
        """Whether no other process shares the directory. Costs one `stat` while nobody comes or goes."""
        changed = self._directory.stat().st_mtime_ns
        if changed != self._changed:
            self._changed = changed
            self.comings += 1
        if changed != self._seen:
            self._seen = changed
            self._alone = all(file.stem == self.process for file in self._directory.glob("*.lock"))
        return self._alone

    def sweep(self) -> None:
        """Remove what killed processes left."""
        for file in self._directory.glob("*.lock"):
            if not self._is_locked(file.stem):
                self.remove(file.stem)
        for file in self._directory.glob("*.new"):
            with suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime > STALE_SECONDS:
                    file.unlink()

    def is_alive(self, process: str) -> bool:
        """Whether the process runs and does not hang."""
        if process == self.process:
            return True
        return self._is_locked(process) and self._age(process) < self._timeout

    def remove(self, process: str) -> None:
        """Remove the file of a process that is gone."""
        self._file(process).unlink(missing_ok=True)

    def end(self) -> None:
        """Remove this process's file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                self.remove(self.process)
            os.close(descriptor)

    def _is_locked(self, process: str) -> bool:
        try:
            descriptor = os.open(self._file(process), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: those who look do not disturb each other
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _age(self, process: str) -> float:
        with suppress(FileNotFoundError):
            return time.time() - self._file(process).stat().st_mtime
        return float("inf")

    def _file(self, process: str) -> Path:
        return self._directory / f"{process}.lock"
