"""A Chroma server for the tests: the package on PyPI holds the whole server in one library.

It is installed once, without what it depends on, into a cache folder of the user.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ports import free_port
from tests.services.stores.processes import running

CHROMA = "1.5.9"

_RUN = "import sys, chromadb_rust_bindings; chromadb_rust_bindings.cli(['chroma', 'run', *sys.argv[1:]])"


def missing() -> str | None:
    """Why it cannot be started, or None."""
    return None if _installer() else "Chroma needs pip or uv to be installed"


def _installer() -> list[str] | None:
    if shutil.which("uv"):
        return ["uv", "pip", "install", "--quiet", "--python", sys.executable]
    for python in (sys.executable, "python3"):
        found = shutil.which(python)
        if (
            found
            and subprocess.run([found, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
        ):
            return [found, "-m", "pip", "install", "--quiet"]
    return None


def _folder() -> Path:
    """Installed beside, then moved: a half installed one is never used."""
    base = os.environ.get("LANGSTREAM_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    home = Path(base) / "langstream-tests" / f"chroma-{CHROMA}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as temporary:
            new = Path(temporary) / "chroma"
            installer = _installer()
            assert installer is not None
            command = [*installer, "--no-deps", "--target", str(new), f"chromadb=={CHROMA}"]
            subprocess.run(command, check=True, capture_output=True, timeout=300)
            if not home.exists():
                new.rename(home)
    return home


@contextmanager
def chroma(directory: Path) -> Iterator[int]:
    """A started server; yields its port."""
    port = free_port()
    folder = _folder()
    command = [
        "env", f"PYTHONPATH={folder}", sys.executable, "-c", _RUN,
        "--path", str(directory / "data"), "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with running(command, directory, port, "listening"):
        yield port
