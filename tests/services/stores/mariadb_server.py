"""A MariaDB server of its own for the tests, on a loopback port, from the machine's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.ports import free_port
from tests.services.stores.processes import home_of, running

PASSWORD = "s3cret-of-mariadb"


def missing() -> str | None:
    """Why it cannot be started, or None."""
    if shutil.which("mariadb-install-db"):
        return None
    return "MariaDB is not installed on this machine (Debian: mariadb-server)"


@contextmanager
def mariadb() -> Iterator[int]:
    """A started server; yields its port. The user `tester` has the password above and the database `docs`."""
    with home_of("mysql") as (directory, as_user):
        data = f"--datadir={directory / 'data'}"
        subprocess.run(
            [*as_user, "mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal"],
            check=True, capture_output=True, cwd=directory,
        )  # fmt: skip
        setup = directory / "setup.sql"
        setup.write_text(
            f"CREATE DATABASE docs CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;\n"
            f"CREATE USER tester@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO tester@'%';\n"
        )
        port = free_port()
        command = [
            *as_user, _program(), "--no-defaults", data, f"--port={port}", "--bind-address=127.0.0.1",
            f"--socket={directory / 'socket'}", f"--pid-file={directory / 'pid'}", f"--init-file={setup}",
            "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-buffer-pool-size=32M",
            "--performance-schema=0", "--skip-name-resolve",
        ]  # fmt: skip
        with running(command, directory, port, "ready for connections"):
            yield port


def _program() -> str:
    """The server, which Debian keeps where only root looks."""
    found = shutil.which("mariadbd", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
    assert found is not None
    return found
