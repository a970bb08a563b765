"""A server of Google Cloud Storage's interface: `fake-gcs-server`, built once by Go into a folder of the user's cache.

It keeps buckets in memory, pages its listings, gives every object a generation and takes any token. It does not look
at preconditions (`ifGenerationMatch`) of downloads and deletions.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.kafka import _end_with_parent
from tests.servers.ports import free_ports

VERSION = "1.56.1"
GO = (1, 26)
"""The Go that this version asks for."""
MODULE = f"github.com/fsouza/fake-gcs-server@v{VERSION}"
BUILD_SECONDS = 900
START_SECONDS = 60
ATTEMPTS = 3
"""A free port may be somebody else's by the time the server takes it."""


def missing() -> str | None:
    """Why the server cannot be started here, or None."""
    if _program().is_file():
        return None
    go = shutil.which("go")
    if go is None:
        return f"Go is not installed, which builds fake-gcs-server {VERSION} the first time"
    told = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=_environment()
    ).stdout.strip()
    found = re.match(r"go(\d+)\.(\d+)", told)
    if found is None or (int(found[1]), int(found[2])) < GO:
        return f"fake-gcs-server {VERSION} needs Go {GO[0]}.{GO[1]}; this is {told or 'unknown'}"
    return None


def fetched() -> Path:
    """The program, built if this is the first time. What the build leaves besides is thrown away."""
    program = _program()
    program.parent.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent.parent / "fake-gcs-server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.is_file():
            _build(program)
    return program


@contextmanager
def google_storage(directory: Path) -> Iterator[str]:
    """The address of a running server."""
    command = [str(fetched()), "-scheme", "http", "-host", "127.0.0.1", "-backend", "memory", "-log-level", "warn"]
    server, address = _started(command, directory / "server.log")
    try:
        yield address
    finally:
        server.kill()
        server.wait()


def _program() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "langstream-tests" / f"fake-gcs-server-{VERSION}" / "fake-gcs-server"


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-modcacherw", **more}


def _build(program: Path) -> None:
    reason = missing()
    if reason:
        raise RuntimeError(reason)
    with tempfile.TemporaryDirectory(dir=program.parent.parent) as work:
        places = {"GOBIN": f"{work}/bin", "GOCACHE": f"{work}/built", "GOMODCACHE": f"{work}/modules"}
        # Not optimised: quicker to build, and quick enough for tests.
        done = subprocess.run(
            ["go", "install", "-gcflags=all=-N -l", "-ldflags=-s -w", MODULE],
            cwd=work, env=_environment(**places), capture_output=True, text=True, check=False, timeout=BUILD_SECONDS,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"Go could not build fake-gcs-server {VERSION}:\n{done.stdout}{done.stderr[-6000:]}")
        (Path(work) / "bin").rename(program.parent)


def _started(command: list[str], log: Path) -> tuple[subprocess.Popen[bytes], str]:
    for _ in range(ATTEMPTS):
        [port] = free_ports(1)
        with log.open("wb") as output:
            server = subprocess.Popen(
                [*command, "-port", str(port)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=_end_with_parent,
            )  # fmt: skip
        if _answers(server, address := f"http://127.0.0.1:{port}"):
            return server, address
        server.kill()
        server.wait()
    raise RuntimeError(f"fake-gcs-server did not start:\n{log.read_text(errors='replace')[-6000:]}")


def _answers(server: subprocess.Popen[bytes], address: str) -> bool:
    """Whether it serves, rather than stop."""
    from urllib.error import URLError
    from urllib.request import urlopen

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(f"{address}/storage/v1/b", timeout=START_SECONDS):
                return server.poll() is None
        except (URLError, OSError):
            time.sleep(0.05)
    return False
