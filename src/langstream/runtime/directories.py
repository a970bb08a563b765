"""State directories of agents with a disk: `<data directory>/state/<application>/<agent id>`, for nobody else to read.

Replica 0 has the plain name, further replicas a suffix of their own. Without a data directory state lives in a
temporary directory, which is deleted when the deployment stops for good.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path


class StateDirectories:
    """Makes state directories for one application."""

    def __init__(self, data_directory: Path | None, application_id: str) -> None:
        self._data_directory = data_directory
        self._application = _safe(application_id)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def create(self, agent_id: str, replica: int = 0) -> Path:
        """The directory of one replica of an agent; the same each time."""
        name = _safe(agent_id) if replica == 0 else f"{_safe(agent_id)}-{replica}"
        directory = self.root() / "state" / self._application / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        return directory

    def close(self) -> None:
        """Delete what was temporary."""
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def root(self) -> Path:
        """The data directory, or what stands in for it."""
        if self._data_directory is not None:
            return self._data_directory.absolute()
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="langstream-")
        return Path(self._temporary.name)


def _safe(name: str) -> str:
    """One path component, whatever an id is made of; different ids stay different."""
    safe = re.sub(r"[^A-Za-z0-9._-]", lambda match: f"%{ord(match.group()):02x}", name)
    return f"%{safe}" if safe.strip(".") == "" else safe
