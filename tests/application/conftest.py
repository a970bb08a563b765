"""Applications written down as file name → text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent
from typing import Protocol

import pytest

from langstream.application.loader import Loaded, read_application


class Load(Protocol):
    """Writes the files of an application and reads them."""

    def __call__(
        self,
        files: Mapping[str, str | bytes],
        *,
        instance: str | None = None,
        secrets: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Loaded:
        """What could be read, and the problems."""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Reads an application from texts."""

    def read(
        files: Mapping[str, str | bytes],
        *,
        instance: str | None = None,
        secrets: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Loaded:
        directory = tmp_path / "application"
        directory.mkdir(exist_ok=True)
        for name, content in files.items():
            write(directory / name, content)
        given = {"instance": instance, "secrets": secrets}
        paths = {kind: write(tmp_path / f"{kind}.yaml", text) for kind, text in given.items() if text is not None}
        return read_application(
            directory, instance=paths.get("instance"), secrets=paths.get("secrets"), environment=environment or {}
        )

    return read


def write(file: Path, content: str | bytes) -> Path:
    """Write a file, with its directories."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
    return file
