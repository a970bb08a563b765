"""State directories."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

from langstream.runtime.directories import StateDirectories


def test_a_directory_is_for_nobody_else(tmp_path: Path) -> None:
    directory = StateDirectories(tmp_path, "app").create("keeper")
    assert directory == tmp_path / "state" / "app" / "keeper"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_replicas_do_not_share(tmp_path: Path) -> None:
    directories = StateDirectories(tmp_path, "app")
    assert directories.create("keeper", 2).name == "keeper-2"


def test_an_id_never_leaves_the_directory(tmp_path: Path) -> None:
    directories = StateDirectories(tmp_path, "..")
    for id in ("..", "../../x", "a/b", ".", ""):
        assert directories.create(id).resolve().is_relative_to(tmp_path.resolve() / "state")
    assert directories.create("a/b") != directories.create("a_b")


def test_without_a_data_directory_state_is_temporary() -> None:
    directories = StateDirectories(None, "app")
    directory = directories.create("keeper")
    (directory / "sum").write_text("5")
    directories.close()
    assert not directory.exists()


async def test_only_agents_with_a_disk_have_one(kit: Any, tmp_path: Path) -> None:
    await kit.topics("in", "out")
    keeper, other = kit.Straight(None), kit.Straight(None)
    await kit.run(kit.node(keeper, other, disks=["node"]))
    assert keeper.context.state_directory == tmp_path / "state" / "app" / "node"
    assert other.context.state_directory is None
