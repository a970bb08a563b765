"""What every object store promises, on real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from langstream.services.objects.contract import ObjectStore, StoredObject
from tests.services.objects.benches import StoreBench
from tests.services.objects.fixtures import CONDITIONAL


@pytest.fixture
async def store(bench: StoreBench) -> AsyncIterator[ObjectStore]:
    """A started client; the bucket was made by it."""
    store = bench.store()
    await store.start()
    yield store
    await store.close()


async def listed(store: ObjectStore, prefix: str = "", recursive: bool = True) -> list[StoredObject]:
    """All pages in one."""
    return [stored async for page in store.pages(prefix, recursive=recursive) for stored in page]


async def names(store: ObjectStore, prefix: str = "", recursive: bool = True) -> list[str]:
    """The names on all pages."""
    return [stored.name for stored in await listed(store, prefix, recursive)]


async def test_a_missing_bucket_is_made_and_an_existing_one_kept(bench: StoreBench, store: ObjectStore) -> None:
    assert await names(store) == []
    await bench.put("a.txt", b"1")
    again = bench.store()
    await again.start()
    assert await names(again) == ["a.txt"]
    await again.close()


@pytest.mark.parametrize(
    "name",
    ["plain.txt", "a b+c.txt", "ünï/çødé.txt", "100%25.txt", "q?x=1&y#z.txt", "a//b.txt", "x'(1)~!*.txt", '<&>".txt'],
)
async def test_names_of_any_form_are_listed_read_and_deleted(bench: StoreBench, store: ObjectStore, name: str) -> None:
    await bench.put(name, b"content")
    [stored] = await listed(store)
    assert stored.name == name
    content = await store.read(stored)
    assert content is not None
    assert content.data == b"content"
    assert await store.delete(stored)
    assert await listed(store) == []


async def test_names_that_stand_for_folders_are_no_objects(bench: StoreBench, store: ObjectStore) -> None:
    await bench.put("folder/", b"")
    await bench.put("folder/a", b"1")
    assert await names(store) == ["folder/a"]


async def test_listings_are_in_order_and_span_pages(bench: StoreBench, store: ObjectStore) -> None:
    expected = [f"{number:02}.txt" for number in range(11)]
    for name in reversed(expected):
        await bench.put(name, b"1")
    assert await names(store) == expected


async def test_prefixes_and_recursion_bound_a_listing(bench: StoreBench, store: ObjectStore) -> None:
    for name in ("a.txt", "in/b.txt", "in/deep/c.txt", "inside.txt"):
        await bench.put(name, b"1")
    assert await names(store) == ["a.txt", "in/b.txt", "in/deep/c.txt", "inside.txt"]
    assert await names(store, recursive=False) == ["a.txt", "inside.txt"]
    assert await names(store, "in/") == ["in/b.txt", "in/deep/c.txt"]
    assert await names(store, "in/", recursive=False) == ["in/b.txt"]


async def test_content_has_its_type_and_the_version_its_digest(bench: StoreBench, store: ObjectStore) -> None:
    await bench.put("a.pdf", b"%PDF", "application/pdf")
    await bench.put("b.pdf", b"%PDF", "application/pdf")
    first, second = [await store.read(stored) for stored in await listed(store)]
    assert first is not None
    assert second is not None
    assert (first.data, first.content_type) == (b"%PDF", "application/pdf")
    assert first.version.digest == second.version.digest != b""


async def test_an_empty_object_is_read(bench: StoreBench, store: ObjectStore) -> None:
    await bench.put("empty", b"")
    [stored] = await listed(store)
    content = await store.read(stored)
    assert content is not None
    assert content.data == b""


async def test_a_large_object_comes_whole(bench: StoreBench, store: ObjectStore) -> None:
    data = bytes(range(256)) * (12 * 4096)
    await bench.put("large", data)
    [stored] = await listed(store)
    content = await store.read(stored)
    assert content is not None
    assert content.data == data


async def test_packed_bytes_stay_packed(bench: StoreBench, store: ObjectStore) -> None:
    data = b"\x1f\x8b" + b"not really packed"
    await bench.put("a.gz", data, "application/gzip")
    [stored] = await listed(store)
    content = await store.read(stored)
    assert content is not None
    assert content.data == data


async def test_an_unchanged_object_looks_the_same_and_a_changed_one_does_not(
    bench: StoreBench, store: ObjectStore
) -> None:
    await bench.put("a", b"1")
    [first] = await listed(store)
    [again] = await listed(store)
    await bench.put("a", b"2")
    [changed] = await listed(store)
    assert first.version.looks_like(again.version)
    assert not first.version.looks_like(changed.version)


async def test_an_object_that_changed_or_vanished_since_the_listing_is_not_read(
    bench: StoreBench, store: ObjectStore
) -> None:
    await bench.put("a", b"old")
    [old] = await listed(store)
    await bench.put("a", b"new")
    assert await store.read(old) is None
    await bench.remove("a")
    assert await store.read(old) is None


@pytest.mark.parametrize("bench", CONDITIONAL, indirect=True)
async def test_only_the_version_that_was_asked_for_is_deleted(bench: StoreBench, store: ObjectStore) -> None:
    await bench.put("a", b"old")
    [old] = await listed(store)
    await bench.put("a", b"new")
    assert not await store.delete(old)
    [new] = await listed(store)
    assert await store.delete(new)
    assert await names(store) == []


async def test_deleting_what_is_gone_succeeds(bench: StoreBench, store: ObjectStore) -> None:
    await bench.put("a", b"1")
    [stored] = await listed(store)
    await bench.remove("a")
    assert await store.delete(stored)
    assert await store.delete(replace(stored, name="never-there"))


async def test_an_address_names_bucket_and_object(bench: StoreBench, store: ObjectStore) -> None:
    assert store.address("a.txt") == f"{store.address()}/a.txt"
    assert bench.bucket in store.address()
