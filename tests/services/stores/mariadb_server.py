"""A MariaDB server of its own for the tests, on a loopback port, from the machine's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.stores.processes import free_port, running, unprivileged

PASSWORD = "s3cret-of-mariadb"


def missing() -> str | None:
    """Why it cannot be started, or None."""
    if shutil.which("mariadbd") and shutil.which("mariadb-install-db"):
        return None
    return "MariaDB is not installed on this machine (Debian: mariadb-server)"


@contextmanager
def mariadb(directory: Path) -> Iterator[int]:
    """A started server; yields its port. The user `tester` has the password above and the database `docs`."""
    as_user = unprivileged(directory, "mysql")
    data = f"--datadir={directory / 'data'}"
    user = [] if os.getuid() else ["--user=mysql"]
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal", *user],
        check=True, capture_output=True, cwd=directory,
    )  # fmt: skip
    port = free_port()
    setup = directory / "setup.sql"
    setup.write_text(
        f"CREATE DATABASE docs CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n"
        f"CREATE USER tester@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO tester@'%';\n"
    )
    command = [
        *as_user, "mariadbd", "--no-defaults", data, f"--port={port}", "--bind-address=127.0.0.1",
        f"--socket={directory / 'socket'}", f"--pid-file={directory / 'pid'}", f"--init-file={setup}",
        "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-buffer-pool-size=32M",
        "--performance-schema=0", "--skip-name-resolve",
    ]  # fmt: skip
    with running(command, directory, port, "ready for connections"):
        yield port
