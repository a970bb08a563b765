"""Servers of object stores on this machine: moto for S3, Azurite for Azure, and Google's protocol as documented.

Azurite is an npm package. It is installed once, into a cache folder of the user.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

AZURITE = "3.35.0"
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every Azurite has; its key is public."""

_MOTO = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("listening at http://127.0.0.1:%d" % server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


def _cache() -> Path:
    base = os.environ.get("LANGSTREAM_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "langstream-tests"


def azurite_missing() -> str | None:
    """Why Azurite cannot be started here, or None."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"Azurite needs {program}, which is not installed on this machine"
    return None


def _azurite_program() -> Path:
    """Installed beside, then moved: a half installed one is never used."""
    home = _cache() / f"azurite-{AZURITE}"
    program = home / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as temporary:
            new = Path(temporary) / "azurite"
            command = [
                "npm", "install", "--prefix", str(new), f"azurite@{AZURITE}", "--no-audit", "--no-fund",
                "--ignore-scripts", "--loglevel=error",
            ]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, timeout=300)
            if not home.exists():
                new.rename(home)
    return program


@contextmanager
def _running(command: list[str]) -> Iterator[str]:
    """Start a server, and give the address that it tells."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _address(process, output.fileno())
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.terminate()
            process.wait(20)


def _address(process: subprocess.Popen[bytes], output: int, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        text = os.pread(output, 100_000, 0).decode(errors="replace")
        if found := re.search(r"listen(?:s|ing) (?:at|on) (http://[^\s]+)", text):
            return found[1]
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"the server does not start:\n{os.pread(output, 100_000, 0).decode(errors='replace')}")


@contextmanager
def moto() -> Iterator[str]:
    """The address of an S3."""
    with _running([sys.executable, "-c", _MOTO]) as address:
        yield address


@contextmanager
def azurite() -> Iterator[str]:
    """The address of the account of an Azurite."""
    command = [
        str(_azurite_program()), "--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence",
        "--disableTelemetry", "--skipApiVersionCheck", "--silent",
    ]  # fmt: skip
    with _running(command) as address:
        yield f"{address}/{ACCOUNT}"
