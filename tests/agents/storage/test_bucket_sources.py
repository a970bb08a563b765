"""What is particular to sources of buckets: options, selections, records, and stores that fail."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from langstream.agents.storage import object_source
from langstream.agents.storage.bucket_options import BucketOptions
from langstream.agents.storage.ledger import FILE_NAME, Ledger, Version
from langstream.agents.storage.object_source import ObjectSource
from langstream.configuration.validation import check
from langstream.errors import AgentFailed, ServiceError
from langstream.sdk.contract import AgentContext
from langstream.services.objects.contract import Content, ObjectStore, StoredObject
from tests.agents.storage.benches import BucketSources, keys, read_all, read_nothing, read_some, values


def options(**given: Any) -> BucketOptions:
    """Options of sources of buckets, in snake case."""
    settings = {name.replace("_", "-"): value for name, value in given.items()}
    model, problems = check(BucketOptions, settings, subject="source")
    assert model is not None, problems
    return model


@pytest.mark.parametrize(
    ("extensions", "name", "wanted"),
    [
        ("*", "aaa", True),
        ("*", ".aaa", True),
        ("*", "aaa.", True),
        ("aaa", "aaa", False),
        ("aaa", "aaa.", False),
        ("aaa", ".aaa", True),
        ("bbb", ".aaa", False),
        (None, "a.pdf", True),
        (None, "a.PDF", False),
        (None, "a.exe", False),
        ("pdf, txt", "a.txt", True),
        ("pdf,pdf", "a.pdf", True),
        (".pdf", "a.pdf", True),
        ("", "no-extension", True),
        ("txt", "v1.txt/no-extension", False),
    ],
)
def test_extensions(extensions: str | None, name: str, wanted: bool) -> None:
    given = {} if extensions is None else {"file_extensions": extensions}
    assert options(recursive=True, **given).wanted()(name) is wanted


@pytest.mark.parametrize(
    ("prefix", "recursive", "wanted"),
    [
        ("", False, ["a.txt"]),
        ("", True, ["a.txt", "in/b.txt", "in/deep/c.txt", "inside/d.txt"]),
        ("in", False, ["in/b.txt"]),
        ("in/", True, ["in/b.txt", "in/deep/c.txt"]),
    ],
)
async def test_prefix_and_recursion_select_objects(
    s3: BucketSources, prefix: str, recursive: bool, wanted: list[str]
) -> None:
    await s3.source(state=None)
    for name in ("a.txt", "in/b.txt", "in/deep/c.txt", "inside/d.txt"):
        await s3.put(name, "1")
    assert keys(await read_all(await s3.source(path_prefix=prefix, recursive=recursive))) == wanted


def test_only_azure_looks_into_folders_unless_told() -> None:
    from langstream.agents.storage.azure_source import AzureSourceConfiguration

    assert not options().recursive
    assert AzureSourceConfiguration.model_validate({"endpoint": "https://a.b"}).recursive


async def test_records_carry_the_bucket_and_the_constant_headers(s3: BucketSources) -> None:
    source = await s3.source(source_record_headers={"team": "a"}, emit_deletions=True)
    await s3.put("a.html", "1")
    [record] = await read_some(source)
    assert record.headers() == [
        ("team", "a"),
        ("name", "a.html"),
        ("bucket", s3.store.bucket),
        ("content-type", "text/html"),
        ("content_diff", "new"),
    ]


async def test_the_topic_of_deletions_gets_the_name_as_value_and_the_bucket_as_key(s3: BucketSources) -> None:
    source = await s3.source(deleted_objects_topic="gone")
    await s3.put("a.txt", "1")
    await source.commit(await read_some(source))
    await s3.remove("a.txt")
    assert await read_nothing(source)
    [(_, record)] = s3.sent
    assert (record.key(), record.value()) == (s3.store.bucket, "a.txt")
    assert dict(record.headers())["recordSource"] == "storageProvider"


async def test_another_bucket_begins_a_ledger_of_its_own(s3: BucketSources, caplog: pytest.LogCaptureFixture) -> None:
    source = await s3.source(emit_deletions=True)
    await s3.put("a.txt", "1")
    await source.commit(await read_some(source))
    await s3.stop()
    s3.store.bucket += "-2"
    source = await s3.source(emit_deletions=True)
    assert await read_nothing(source)
    assert "reads from another place now" in caplog.text


class FlakyStore(ObjectStore):
    """A store in memory whose next calls fail as told."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.failures: dict[str, list[ServiceError]] = {"pages": [], "read": [], "delete": []}
        self.read_names: list[str] = []

    async def start(self) -> None:
        """Nothing."""

    async def close(self) -> None:
        """Nothing."""

    def stored(self) -> list[StoredObject]:
        """All objects."""
        return [
            StoredObject(name, Version(len(data), 0, tag=data.decode())) for name, data in sorted(self.objects.items())
        ]

    async def pages(self, prefix: str, *, recursive: bool) -> AsyncGenerator[Sequence[StoredObject], None]:
        """A page for each object; a failure comes after the first page."""
        for number, stored in enumerate(self.stored()):
            if number == 1:
                self._fail("pages")
            yield [stored]

    async def read(self, stored: StoredObject) -> Content | None:
        """The content."""
        self.read_names.append(stored.name)
        self._fail("read")
        data = self.objects[stored.name]
        return Content(data, replace(stored.version, digest=data))

    async def delete(self, stored: StoredObject) -> bool:
        """Delete it."""
        self._fail("delete")
        del self.objects[stored.name]
        return True

    def address(self, name: str = "") -> str:
        """A name."""
        return f"memory/{name}"

    def _fail(self, call: str) -> None:
        if self.failures[call]:
            raise self.failures[call].pop(0)


async def source_of(store: FlakyStore, directory: Path | None = None, **given: Any) -> ObjectSource:
    """A started source of that store."""
    source = options(**{"idle_time": 0, "file_extensions": "*", **given}).source(store, "bucket", "bucket")
    await source.start(AgentContext("source", "app", state_directory=directory))
    return source


async def test_a_listing_that_breaks_off_is_begun_again_and_takes_nothing_for_gone() -> None:
    store = FlakyStore()
    store.objects = {"a": b"1", "b": b"2"}
    source = await source_of(store, delete_objects=False, emit_deletions=True)
    await source.commit(await read_all(source))
    store.failures["pages"] = [ServiceError("away")]
    assert await source.read(10) == []
    assert await read_nothing(source)
    store.failures["pages"] = [ServiceError("no", category="authentication")]
    with pytest.raises(ServiceError, match="no"):
        await source.read(10)
    assert await read_nothing(source)
    await source.close()


async def test_objects_that_cannot_be_read_now_come_later() -> None:
    store = FlakyStore()
    store.objects = {"a": b"1"}
    store.failures["read"] = [ServiceError("away")]
    source = await source_of(store)
    assert values(await read_some(source)) == [b"1"]
    await source.close()


async def test_objects_that_are_refused_are_left_out_until_they_change(caplog: pytest.LogCaptureFixture) -> None:
    store = FlakyStore()
    store.objects = {"a": b"1", "b": b"2"}
    store.failures["read"] = [ServiceError("archived", category="refused")]
    source = await source_of(store, delete_objects=False)
    assert keys(await read_some(source)) == ["b"]
    assert await read_nothing(source)
    assert store.read_names.count("a") == 1
    assert "memory/a cannot be read and is left out: archived" in caplog.text
    store.objects["a"] = b"3"
    assert keys(await read_some(source)) == ["a"]
    await source.close()


async def test_refused_credentials_stop_the_source() -> None:
    store = FlakyStore()
    store.objects = {"a": b"1"}
    store.failures["read"] = [ServiceError("no", category="authentication")]
    source = await source_of(store)
    with pytest.raises(ServiceError, match="no"):
        await source.read(10)
    assert values(await read_some(source)) == [b"1"]
    await source.close()


async def test_a_deletion_that_failed_is_tried_again_even_after_a_restart(tmp_path: Path) -> None:
    store = FlakyStore()
    store.objects = {"a": b"1"}
    source = await source_of(store, tmp_path)
    store.failures["delete"] = [ServiceError("away"), ServiceError("away")]
    await source.commit(await read_some(source))
    assert await read_nothing(source)
    assert store.objects == {}
    store.objects = {"a": b"2"}
    store.failures["delete"] = [ServiceError("away")]
    await source.commit(await read_some(source))
    assert store.objects == {"a": b"2"}
    await source.close()
    source = await source_of(store, tmp_path)
    assert await read_nothing(source)
    assert store.objects == {}
    await source.close()


async def test_a_deletion_that_is_forbidden_is_reported_and_the_object_not_read_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FlakyStore()
    store.objects = {"a": b"1"}
    source = await source_of(store, tmp_path)
    store.failures["delete"] = [ServiceError("forbidden", category="authentication")]
    await source.commit(await read_some(source))
    assert await read_nothing(source)
    assert store.objects == {"a": b"1"}
    assert caplog.text.count("memory/a cannot be deleted: forbidden") == 1
    await source.close()


async def test_what_is_in_memory_is_bounded_until_it_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_source, "UNDER_WAY_BYTES", 10)
    store = FlakyStore()
    store.objects = {"a": b"x" * 6, "b": b"y" * 6, "c": b"z" * 50, "d": b"1"}
    source = await source_of(store, delete_objects=False)
    first = await read_some(source)
    assert keys(first) == ["a"]
    assert await read_nothing(source)
    await source.commit(first)
    second = await read_some(source)
    assert keys(second) == ["b"]
    assert await read_nothing(source)
    await source.commit(second)
    assert keys(await read_some(source)) == ["c"]
    await source.close()


async def test_the_first_page_is_worked_on_before_the_last_was_asked_for() -> None:
    store = FlakyStore()
    store.objects = {"a": b"1", "b": b"2"}
    source = await source_of(store)
    store.failures["pages"] = [ServiceError("no", category="refused")]
    assert keys(await source.read(10)) == ["a"]
    await source.close()


def test_a_ledger_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / FILE_NAME)
    database.execute(
        "CREATE TABLE files (path TEXT PRIMARY KEY, size INTEGER, modified_ns INTEGER, digest BLOB) WITHOUT ROWID"
    )
    database.execute("INSERT INTO files VALUES ('a', 1, 2, x'00')")
    database.commit()
    database.close()
    ledger = Ledger(tmp_path)
    assert ledger.versions() == {"a": Version(1, 2, b"\0")}
    ledger.record({"b": Version(3, 4, b"", "tag")})
    assert ledger.versions()["b"].tag == "tag"
    ledger.close()


async def test_topics_are_needed_to_tell_a_topic() -> None:
    store = FlakyStore()
    store.objects = {"a": b"1"}
    source = await source_of(store, delete_objects=False, deleted_objects_topic="gone")
    await source.commit(await read_some(source))
    store.objects = {}
    with pytest.raises(AgentFailed, match="deleted-objects-topic is set"):
        await read_nothing(source)
    await source.close()
