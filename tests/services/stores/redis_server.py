"""A Redis server of its own for the tests, on a loopback port, from the machine's packages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.ports import free_port
from tests.services.stores.processes import running

PASSWORD = "s3cret-of-redis"


def missing() -> str | None:
    """Why it cannot be started, or None."""
    return None if shutil.which("redis-server") else "Redis is not installed on this machine (Debian: redis-server)"


@contextmanager
def redis(directory: Path) -> Iterator[int]:
    """A started server; yields its port."""
    port = free_port()
    command = [
        "redis-server", "--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", "",
        "--appendonly", "no", "--dir", str(directory), "--daemonize", "no",
    ]  # fmt: skip
    with running(command, directory, port, "Ready to accept connections"):
        yield port
