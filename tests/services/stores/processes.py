"""Servers that are processes of the machine: started for the tests, ended with them."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 180


@contextmanager
def running(command: Sequence[str], directory: Path, port: int, ready: str) -> Iterator[None]:
    """The command as a process, from the moment that its log says `ready` and its port answers, to the end."""
    log = directory / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory)
    try:
        _wait(server, port, log, ready)
        yield
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path, ready: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the server stopped: {log.read_text()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and ready in log.read_text(errors="replace"):
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text(errors='replace')}")


@contextmanager
def home_of(user: str) -> Iterator[tuple[Path, list[str]]]:
    """A new directory for a server that refuses to run as root, and what to put before its commands.

    It is none of pytest's: pytest takes away everybody else's access to its own, whenever a session starts.
    """
    with tempfile.TemporaryDirectory(prefix=f"langstream-{user}-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        if os.getuid() != 0:
            yield directory, []
            return
        try:
            account = pwd.getpwnam(user)
        except KeyError:
            account = pwd.getpwnam("nobody")
        os.chown(directory, account.pw_uid, account.pw_gid)
        yield directory, ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
