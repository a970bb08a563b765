"""Who is alive."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from langstream.topics.embedded.presence import DIRECTORY, Presence


def test_a_process_that_announced_itself_is_alive_until_it_ends(tmp_path: Path) -> None:
    one, other = Presence(tmp_path, 10), Presence(tmp_path, 10)
    one.announce()
    assert other.is_alive(one.process)
    one.end()
    assert not other.is_alive(one.process)


def test_an_unknown_process_is_not_alive(tmp_path: Path) -> None:
    assert not Presence(tmp_path, 10).is_alive("nobody")


def test_a_process_without_a_sign_of_life_counts_as_gone(tmp_path: Path) -> None:
    one, other = Presence(tmp_path, 10), Presence(tmp_path, 10)
    one.announce()
    file = tmp_path / DIRECTORY / f"{one.process}.lock"
    os.utime(file, (0, 0))
    assert not other.is_alive(one.process)
    one.announce()
    assert other.is_alive(one.process)
    one.end()


def test_a_process_knows_whether_it_is_alone(tmp_path: Path) -> None:
    one, other = Presence(tmp_path, 10), Presence(tmp_path, 10)
    one.announce()
    assert one.is_alone()
    other.announce()
    one.announce()
    assert not one.is_alone()
    other.end()
    one.announce()
    assert one.is_alone()
    one.end()


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    directory = tmp_path / DIRECTORY
    directory.mkdir()
    (directory / "dead.lock").touch()
    (directory / "half.new").touch()
    os.utime(directory / "half.new", (0, 0))
    (directory / "young.new").touch()
    presence = Presence(tmp_path, 10)
    presence.announce()
    assert {file.name for file in directory.iterdir()} == {"young.new", f"{presence.process}.lock"}
    presence.end()


def test_threads_that_announce_the_process_together_agree(tmp_path: Path) -> None:
    for _ in range(50):
        presence = Presence(tmp_path, 10)
        with ThreadPoolExecutor(4) as threads:
            for announced in [threads.submit(presence.announce) for _ in range(4)]:
                announced.result()
        assert [file.stem for file in (tmp_path / DIRECTORY).iterdir()] == [presence.process]
        presence.end()


def test_a_process_that_was_taken_for_dead_shows_itself_again(tmp_path: Path) -> None:
    one, other = Presence(tmp_path, 10), Presence(tmp_path, 10)
    one.announce()
    other.announce()
    other.remove(one.process)
    assert not other.is_alive(one.process)
    one.announce()
    assert other.is_alive(one.process)
    one.end()
    other.end()
