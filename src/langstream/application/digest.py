"""The digest of an application's code: agents keep their archive, and are not restarted, while it stays the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from langstream.application.ignore import Ignored, files_of

PYTHON_CODE: Final = "python"
JAVA_LIBRARIES: Final = "java/lib"


def directory_digest(root: Path, below: str, ignored: Ignored) -> str | None:
    """SHA-256 over relative path and content of every file below `root/below`, in order; None where there are none."""
    prefix = f"{below}/"
    if not (root / below).is_dir() or _hidden(below, ignored):
        return None
    digest, empty = hashlib.sha256(), True
    for path in files_of(root / below, _Below(ignored, prefix)):
        digest.update(path.encode())
        with (root / below / path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        empty = False
    return None if empty else digest.hexdigest()


def _hidden(below: str, ignored: Ignored) -> bool:
    parts = below.split("/")
    return any(ignored("/".join(parts[: count + 1]), directory=True) for count in range(len(parts)))


class _Below(Ignored):
    """The rules of the root, asked about paths relative to a directory inside."""

    def __init__(self, rules: Ignored, prefix: str) -> None:
        super().__init__()
        self._root, self._prefix = rules, prefix

    def __call__(self, path: str, *, directory: bool = False) -> bool:
        return self._root(f"{self._prefix}{path}", directory=directory)
