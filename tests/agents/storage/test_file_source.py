"""file-source delivers every version of every wanted file at least once, and remembers what was delivered."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from langstream.agents.storage.file_source import AGENT, FileSource
from langstream.agents.storage.file_source_options import FileSourceConfiguration
from langstream.agents.storage.ledger import FILE_NAME
from langstream.configuration.validation import check
from langstream.errors import AgentFailed
from langstream.records import Record
from langstream.sdk.contract import AgentContext


class Folder:
    """A folder under test, and sources on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inbox = directory / "inbox"
        self.inbox.mkdir()
        self.state = directory / "state"
        self.opened: list[FileSource] = []
        self.sent: list[tuple[str, Record]] = []
        self._clock = 1_700_000_000

    def write(self, name: str, content: str | bytes) -> Path:
        """Write a file with a time of its own, long past."""
        file = self.inbox / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        self._clock += 1
        os.utime(file, (self._clock, self._clock))
        return file

    async def source(self, state: bool = True, **options: Any) -> FileSource:
        """A started source; options in snake case."""
        named = {name.replace("_", "-"): value for name, value in options.items()}
        settings = {"path": "inbox", "idle-time": 0.02, "watch": False, "settle-time": 0, **named}
        model, problems = check(FileSourceConfiguration, settings, subject="file-source")
        assert model is not None, problems
        source = FileSource(model)
        self.opened.append(source)
        await source.start(
            AgentContext(
                "files",
                "app",
                topics=self,
                state_directory=self.state if state else None,
                code_directory=self.directory,
            )
        )
        return source

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        """The side topic."""
        self.sent += [(topic, record) for record in records]

    async def close(self) -> None:
        """Close every source."""
        for source in self.opened:
            await source.close()
        self.opened.clear()


@pytest.fixture
async def folder(tmp_path: Path) -> Any:
    """An empty folder."""
    folder = Folder(tmp_path)
    yield folder
    await folder.close()


async def read_some(source: FileSource, attempts: int = 50) -> list[Record]:
    """The first records that come."""
    for _ in range(attempts):
        if records := await source.read(100):
            return list(records)
    return []


async def read_nothing(source: FileSource) -> bool:
    """Whether three looks through the folder give nothing."""
    return not any([await source.read(100) for _ in range(3)])


def keys(records: Sequence[Record]) -> list[Any]:
    """The keys of records."""
    return [record.key() for record in records]


async def test_a_file_is_a_record_of_its_path_and_bytes(folder: Folder) -> None:
    folder.write("a/report.pdf", b"%PDF")
    [record] = await read_some(await folder.source())
    assert (record.key(), record.value()) == ("a/report.pdf", b"%PDF")
    assert dict(record.headers()) == {
        "name": "a/report.pdf",
        "path": str(folder.inbox / "a/report.pdf"),
        "content-type": "application/pdf",
        "content_diff": "new",
    }
    assert record.timestamp() == 1_700_000_001_000


async def test_files_come_in_the_order_of_their_paths_and_no_more_than_asked_for(folder: Folder) -> None:
    for name in ("c", "a", "b"):
        folder.write(name, name)
    source = await folder.source()
    first = await source.read(2)
    assert keys(first) == ["a", "b"]
    assert keys(await source.read(2)) == ["c"]


async def test_a_file_under_way_is_not_delivered_twice(folder: Folder) -> None:
    folder.write("a", "1")
    source = await folder.source()
    await read_some(source)
    assert await read_nothing(source)


async def test_a_committed_file_is_not_read_again_after_a_restart(folder: Folder) -> None:
    folder.write("a", "1")
    source = await folder.source()
    await source.commit(await read_some(source))
    await folder.close()
    assert await read_nothing(await folder.source())


async def test_a_file_that_was_not_committed_comes_again_after_a_restart(folder: Folder) -> None:
    folder.write("a", "1")
    folder.write("b", "1")
    source = await folder.source()
    first, _ = await read_some(source)
    await source.commit([first])
    await folder.close()
    assert keys(await read_some(await folder.source())) == ["b"]


async def test_without_a_state_directory_a_restart_delivers_again(folder: Folder) -> None:
    folder.write("a", "1")
    source = await folder.source(state=False)
    await source.commit(await read_some(source))
    assert await read_nothing(source)
    await folder.close()
    assert keys(await read_some(await folder.source(state=False))) == ["a"]


async def test_a_changed_file_is_delivered_again(folder: Folder) -> None:
    folder.write("a", "1")
    source = await folder.source()
    await source.commit(await read_some(source))
    folder.write("a", "2")
    [record] = await read_some(source)
    assert (record.value(), dict(record.headers())["content_diff"]) == (b"2", "content_changed")


async def test_a_file_changed_while_under_way_is_delivered_in_both_versions(folder: Folder) -> None:
    folder.write("a", "old")
    source = await folder.source()
    first = await read_some(source)
    folder.write("a", "newer")
    second = await read_some(source)
    await source.commit(first)
    assert [record.value() for record in (*first, *second)] == [b"old", b"newer"]
    await folder.close()
    assert [record.value() for record in await read_some(await folder.source())] == [b"newer"]


async def test_a_touched_file_is_not_delivered_again(folder: Folder) -> None:
    file = folder.write("a", "1")
    source = await folder.source()
    await source.commit(await read_some(source))
    os.utime(file, (1_800_000_000, 1_800_000_000))
    assert await read_nothing(source)


async def test_files_are_deleted_after_the_commit_and_not_before(folder: Folder) -> None:
    file = folder.write("a", "1")
    source = await folder.source(delete_files=True, emit_deletions=True)
    records = await read_some(source)
    assert file.exists()
    await source.commit(records)
    assert not file.exists()
    assert await read_nothing(source)  # its own deletion is no news


async def test_a_file_overwritten_while_under_way_survives_the_commit_of_its_older_version(folder: Folder) -> None:
    folder.write("a", "old")
    source = await folder.source(delete_files=True)
    first = await read_some(source)
    file = folder.write("a", "newer")
    await source.commit(first)
    assert file.read_text() == "newer"
    second = await read_some(source)
    await source.commit(second)
    assert [record.value() for record in second] == [b"newer"]
    assert not file.exists()


async def test_a_file_touched_while_under_way_is_deleted_at_its_commit(folder: Folder) -> None:
    file = folder.write("a", "same")
    source = await folder.source(delete_files=True)
    records = await read_some(source)
    folder.write("a", "same")
    assert await read_nothing(source)
    await source.commit(records)
    assert not file.exists()


async def test_committing_a_file_that_somebody_else_deleted_is_fine(folder: Folder) -> None:
    file = folder.write("a", "1")
    source = await folder.source(delete_files=True)
    records = await read_some(source)
    file.unlink()
    await source.commit(records)
    assert await read_nothing(source)


async def test_a_disappeared_file_gives_a_record_without_value(folder: Folder) -> None:
    file = folder.write("a", "1")
    source = await folder.source(emit_deletions=True)
    await source.commit(await read_some(source))
    file.unlink()
    [record] = await read_some(source)
    assert (record.key(), record.value()) == ("a", None)
    assert dict(record.headers())["recordType"] == "sourceObjectDeleted"
    await source.commit([record])
    assert await read_nothing(source)


async def test_a_deletion_that_was_not_committed_is_told_again_after_a_restart(folder: Folder) -> None:
    file = folder.write("a", "1")
    source = await folder.source(emit_deletions=True)
    await source.commit(await read_some(source))
    file.unlink()
    assert keys(await read_some(source)) == ["a"]
    await folder.close()
    assert keys(await read_some(await folder.source(emit_deletions=True))) == ["a"]


async def test_a_file_that_reappears_is_new_again(folder: Folder) -> None:
    file = folder.write("a", "1")
    source = await folder.source(emit_deletions=True)
    await source.commit(await read_some(source))
    file.unlink()
    gone = await read_some(source)
    folder.write("a", "1")
    back = await read_some(source)
    await source.commit([*gone, *back])
    assert [record.value() for record in (*gone, *back)] == [None, b"1"]
    assert await read_nothing(source)


async def test_deletions_can_go_to_a_topic_of_their_own(folder: Folder) -> None:
    file = folder.write("a", "1")
    source = await folder.source(deleted_files_topic="gone")
    await source.commit(await read_some(source))
    file.unlink()
    assert await read_nothing(source)
    assert [(topic, record.key(), record.value()) for topic, record in folder.sent] == [("gone", "a", None)]


async def test_a_folder_that_vanishes_as_a_whole_deletes_nothing(folder: Folder) -> None:
    folder.write("a", "1")
    source = await folder.source(emit_deletions=True)
    await source.commit(await read_some(source))
    folder.inbox.rename(folder.directory / "elsewhere")
    assert await read_nothing(source)
    (folder.directory / "elsewhere").rename(folder.inbox)
    assert await read_nothing(source)


async def test_a_folder_that_does_not_exist_yet_is_waited_for(folder: Folder) -> None:
    source = await folder.source(path="later")
    assert await read_nothing(source)
    (folder.directory / "later").mkdir()
    (folder.directory / "later" / "a").write_text("1")
    assert keys(await read_some(source)) == ["a"]


async def test_a_file_that_is_still_young_is_waited_for(folder: Folder) -> None:
    (folder.inbox / "fresh").write_text("half")
    folder.write("old", "whole")
    source = await folder.source(settle_time=3600)
    assert keys(await read_some(source)) == ["old"]
    assert await read_nothing(source)


async def test_a_file_from_the_future_is_read_once_it_was_seen_long_enough(folder: Folder) -> None:
    file = folder.write("a", "1")
    os.utime(file, (4_000_000_000, 4_000_000_000))
    assert keys(await read_some(await folder.source(settle_time=0.05))) == ["a"]


async def test_files_beyond_the_greatest_size_are_left_out_with_a_warning(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    folder.write("big", "x" * 2000)
    folder.write("small", "x")
    source = await folder.source(max_file_size="1K")
    assert keys(await read_some(source)) == ["small"]
    assert await read_nothing(source)
    assert [record.message.count("more than max-file-size") for record in caplog.records] == [1]


async def test_links_that_lead_out_of_the_folder_are_ignored(folder: Folder) -> None:
    (folder.directory / "secret").write_text("secret")
    outside = folder.directory / "outside"
    outside.mkdir()
    (outside / "x").write_text("x")
    (folder.inbox / "link").symlink_to(folder.directory / "secret")
    (folder.inbox / "folder").symlink_to(outside)
    (folder.inbox / "loop").symlink_to("loop")
    folder.write("inside", "1")
    (folder.inbox / "alias").symlink_to(folder.inbox / "inside")
    assert keys(await read_some(await folder.source())) == ["alias", "inside"]


async def test_hidden_files_are_left_alone_unless_asked_for(folder: Folder) -> None:
    folder.write(".hidden", "1")
    folder.write(".git/config", "1")
    source = await folder.source()
    assert await read_nothing(source)
    assert keys(await read_some(await folder.source(include_hidden=True))) == [".git/config", ".hidden"]


async def test_patterns_exclusions_and_extensions_select_files(folder: Folder) -> None:
    for name in ("a.md", "b.PDF", "drafts/c.md", "deep/er/d.md", "e.txt", "noext"):
        folder.write(name, "1")
    assert keys(await read_some(await folder.source(state=False, patterns=["**/*.md"], exclude=["drafts/**"]))) == [
        "a.md",
        "deep/er/d.md",
    ]
    assert keys(await read_some(await folder.source(state=False, file_extensions="pdf, txt"))) == ["b.PDF", "e.txt"]
    assert keys(await read_some(await folder.source(state=False, recursive=False, patterns=["*.md"]))) == ["a.md"]


async def test_changes_wake_the_source_before_the_idle_time_is_over(folder: Folder) -> None:
    source = await folder.source(watch=True, idle_time=60)
    waiting = asyncio.create_task(source.read(10))
    await asyncio.sleep(0.3)  # until the folder is watched
    folder.write("a", "1")
    assert await asyncio.wait_for(waiting, 30) == []
    assert keys(await read_some(source)) == ["a"]


async def test_a_cancelled_read_loses_nothing(folder: Folder) -> None:
    for number in range(5):
        folder.write(f"{number}", "1")
    source = await folder.source()
    task = asyncio.create_task(source.read(10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert keys(await read_some(source)) == ["0", "1", "2", "3", "4"]


async def test_a_permanent_failure_stops_the_node_and_the_file_comes_again(folder: Folder) -> None:
    folder.write("a", "1")
    source = await folder.source()
    [record] = await read_some(source)
    with pytest.raises(ValueError, match="bad file"):
        await source.permanent_failure(record, ValueError("bad file"))
    await folder.close()
    assert keys(await read_some(await folder.source())) == ["a"]


async def test_a_path_to_a_file_is_refused(folder: Folder) -> None:
    folder.write("a", "1")
    with pytest.raises(AgentFailed, match="reads folders"):
        await folder.source(path="inbox/a")


async def test_a_wrong_size_is_refused_with_an_example() -> None:
    _, problems = check(FileSourceConfiguration, {"path": "x", "max-file-size": "10MB"}, subject="agent")
    assert "such as 500000, 512K, 100M or 2G" in str(problems[0])


async def test_the_ledger_is_one_row_per_file_in_the_state_directory(folder: Folder) -> None:
    folder.write("a", "123")
    source = await folder.source()
    await source.commit(await read_some(source))
    await folder.close()
    database = sqlite3.connect(folder.state / FILE_NAME)
    assert database.execute("SELECT path, size FROM files").fetchall() == [("a", 3)]
    database.close()


async def test_info_tells_the_folder_and_the_numbers(folder: Folder) -> None:
    folder.write("a", "1")
    source = await folder.source()
    await read_some(source)
    assert source.info() == {"path": str(folder.inbox), "delivered": 0, "under-way": 1, "waiting": 0}


def test_the_type_asks_for_state() -> None:
    assert AGENT.keeps_state
