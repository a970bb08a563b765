"""Who runs an application on a data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from langstream.control.lease import Lease


def test_a_lease_is_free_again_when_it_is_released(tmp_path: Path) -> None:
    first, second = Lease(tmp_path, "app"), Lease(tmp_path, "app")
    assert first.take() is None
    assert second.take() == os.getpid()
    first.release()
    assert second.take() is None
    second.release()


def test_applications_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    leases = [Lease(tmp_path, name) for name in ("a", "b", "../a", "a/b")]
    assert [lease.take() for lease in leases] == [None] * 4
    assert all(path.parent == tmp_path / "running" for path in tmp_path.rglob("*.lock"))
    for lease in leases:
        lease.release()


def test_a_process_that_ends_in_whatever_way_leaves_no_lease(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom langstream.control.lease import Lease\n"
        "assert Lease(Path(sys.argv[1]), 'app').take() is None\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], timeout=60, check=False).returncode == -9
    lease = Lease(tmp_path, "app")
    assert lease.take() is None
    lease.release()
