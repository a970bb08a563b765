"""A disk of a few megabytes that can be filled: memory mounted as a file system, which takes the rights of root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

BLOCK = b"\0" * 65536


class SmallDisk:
    """A file system of its own at `path`."""

    def __init__(self, path: Path, megabytes: int) -> None:
        self._path = path
        self._megabytes = megabytes

    def mount(self) -> None:
        """Make it, empty. Raises RuntimeError where that is not allowed."""
        self._path.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={self._megabytes}m", "langstream-tests", str(self._path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"a small disk cannot be mounted: {done.stderr.strip()}")

    def fill(self) -> None:
        """Leave no room."""
        with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            while True:
                ballast.write(BLOCK)
        with suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            while True:
                ballast.write(BLOCK[:1])

    def free(self) -> None:
        """Make room again."""
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Gone, with everything on it."""
        subprocess.run(["umount", "-l", str(self._path)], capture_output=True, check=False)

    @property
    def _ballast(self) -> Path:
        return self._path / ".ballast"


def missing() -> str | None:
    """Why there can be no small disks here, or None."""
    if not sys.platform.startswith("linux") or shutil.which("mount") is None:
        return "small disks are mounted as Linux does it"
    if os.geteuid():
        return "only root may mount a small disk"
    with tempfile.TemporaryDirectory() as directory:
        disk = SmallDisk(Path(directory), 1)
        try:
            disk.mount()
        except RuntimeError as error:
            return str(error)
        disk.unmount()
    return None
