"""What every source of files or objects promises, file-source included: one suite for all, on real servers."""

from __future__ import annotations

import asyncio

import pytest

from tests.agents.storage.benches import BucketSources, SourceBench, keys, read_all, read_nothing, read_some, values
from tests.services.objects.fixtures import CONDITIONAL


async def filled(bench: SourceBench, *names: str) -> None:
    """Start once, so that the bucket exists, and store objects."""
    await bench.source(state=None)
    await bench.stop()
    for name in names:
        await bench.put(name, f"content of {name}")


async def test_an_object_is_a_record_of_its_name_and_bytes(bench: SourceBench) -> None:
    await filled(bench, "in/a.txt")
    [record] = await read_some(await bench.source())
    headers = dict(record.headers())
    assert (record.key(), record.value(), record.origin()) == ("in/a.txt", b"content of in/a.txt", None)
    assert (headers["name"], headers["content-type"], headers["content_diff"]) == ("in/a.txt", "text/plain", "new")
    assert record.timestamp() is not None


async def test_an_empty_place_gives_nothing_and_an_empty_commit_is_fine(bench: SourceBench) -> None:
    source = await bench.source(delete_objects=True)
    assert await read_nothing(source)
    await source.commit([])
    assert await bench.names() == []


async def test_objects_come_in_order_each_once_and_no_more_than_asked_for(bench: SourceBench) -> None:
    names = [f"test-{number}.txt" for number in range(10)]
    await filled(bench, *names)
    source = await bench.source()
    first, second = await source.read(1), await source.read(1)
    rest = [record for _ in range(8) for record in await source.read(3)]
    assert keys([*first, *second]) == names[:2]
    assert keys(rest) == names[2:]
    assert await read_nothing(source)


async def test_commits_delete_in_any_order_until_all_is_gone(bench: SourceBench) -> None:
    names = [f"test-{number}.txt" for number in range(10)]
    await filled(bench, *names)
    source = await bench.source(delete_objects=True)
    [first], [second] = await source.read(1), await source.read(1)
    await source.commit([second])
    await source.commit([first])
    assert await bench.names() == names[2:]
    while records := await source.read(5):
        await source.commit(records)
    assert await bench.names() == []
    assert await read_nothing(source)


async def test_nothing_is_deleted_before_the_commit(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source(delete_objects=True)
    assert keys(await read_some(source)) == ["a.txt"]
    assert await bench.names() == ["a.txt"]


async def test_committing_what_somebody_else_deleted_is_fine(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source(delete_objects=True)
    records = await read_some(source)
    await bench.remove("a.txt")
    await source.commit(records)
    assert await read_nothing(source)


@pytest.mark.parametrize("delete", [False, True])
async def test_a_batch_that_was_written_before_a_crash_is_committed_after_it(bench: SourceBench, delete: bool) -> None:
    await filled(bench, "a.txt", "b.txt", "c.txt")
    source = await bench.source(delete_objects=delete)
    await source.resume(None)
    await source.prepare("first", list(await source.read(2)))
    await bench.stop()
    source = await bench.source(delete_objects=delete)
    await source.resume("first")
    assert await bench.names() == (["c.txt"] if delete else ["a.txt", "b.txt", "c.txt"])
    records = await read_all(source)
    assert keys(records) == ["c.txt"]
    await source.prepare("second", records)
    await source.commit(records)
    await bench.stop()
    source = await bench.source(delete_objects=delete)
    await source.resume("second")
    assert await read_nothing(source)


@pytest.mark.parametrize("written", [None, "another"])
async def test_a_batch_that_was_not_written_before_a_crash_comes_again(bench: SourceBench, written: str | None) -> None:
    await filled(bench, "a.txt", "b.txt")
    source = await bench.source(delete_objects=True)
    await source.prepare("first", list(await source.read(2)))
    await bench.stop()
    source = await bench.source(delete_objects=True)
    await source.resume(written)
    assert await bench.names() == ["a.txt", "b.txt"]
    assert keys(await read_all(source)) == ["a.txt", "b.txt"]


async def test_of_two_batches_prepared_one_after_the_other_the_later_one_counts(bench: SourceBench) -> None:
    await filled(bench, "a.txt", "b.txt")
    source = await bench.source()
    records = list(await source.read(2))
    await source.prepare("first", records)
    await source.prepare("second", records[:1])
    await bench.stop()
    source = await bench.source()
    await source.resume("second")
    assert keys(await read_all(source)) == ["b.txt"]


async def test_what_was_left_out_of_a_batch_that_was_written_is_not_deleted(bench: SourceBench) -> None:
    await filled(bench, "a.txt", "b.txt")
    source = await bench.source(delete_objects=True)
    records = list(await source.read(2))
    await source.skipped(records[:1])
    await source.prepare("first", records)
    await bench.stop()
    source = await bench.source(delete_objects=True)
    await source.resume("first")
    assert await read_nothing(source)
    assert await bench.names() == ["a.txt"]


async def test_a_deletion_that_was_written_before_a_crash_is_not_reported_again(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source(emit_deletions=True)
    await source.commit(await read_some(source))
    await bench.remove("a.txt")
    [gone] = await read_some(source)
    assert gone.value() is None
    await source.prepare("gone", [gone])
    await bench.stop()
    source = await bench.source(emit_deletions=True)
    await source.resume("gone")
    assert await read_nothing(source)


async def test_what_was_not_committed_comes_again_after_a_restart(bench: SourceBench) -> None:
    await filled(bench, "a.txt", "b.txt")
    source = await bench.source(delete_objects=True)
    first, _ = await read_some(source)
    await source.commit([first])
    await bench.stop()
    assert keys(await read_some(await bench.source(delete_objects=True))) == ["b.txt"]


async def test_kept_objects_are_remembered_across_restarts(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source()
    await source.commit(await read_some(source))
    await bench.stop()
    assert await read_nothing(await bench.source())
    assert await bench.names() == ["a.txt"]


async def test_a_changed_object_is_read_again(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source()
    await source.commit(await read_some(source))
    await bench.put("a.txt", "changed")
    [record] = await read_some(source)
    assert (record.value(), dict(record.headers())["content_diff"]) == (b"changed", "content_changed")


async def test_the_same_content_written_again_is_not_read_again(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source()
    await source.commit(await read_some(source))
    await bench.put("a.txt", "content of a.txt")
    assert await read_nothing(source)


@pytest.mark.parametrize("bench", ["file", *CONDITIONAL], indirect=True)
async def test_an_object_replaced_while_under_way_survives_the_commit_of_its_older_version(bench: SourceBench) -> None:
    await filled(bench)
    await bench.put("a.txt", "old")
    source = await bench.source(delete_objects=True)
    first = await read_some(source)
    await bench.put("a.txt", "newer")
    await source.commit(first)
    assert await bench.names() == ["a.txt"]
    second = await read_some(source)
    await source.commit(second)
    assert values([*first, *second]) == [b"old", b"newer"]
    assert await bench.names() == []


async def test_an_object_replaced_by_the_same_content_while_under_way_is_deleted_in_the_end(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source(delete_objects=True)
    records = await read_some(source)
    await bench.put("a.txt", "content of a.txt")
    await source.commit(records)
    assert await read_nothing(source)
    assert await bench.names() == []


async def test_two_versions_under_way_come_in_order(bench: SourceBench) -> None:
    await filled(bench)
    await bench.put("a.txt", "1")
    source = await bench.source()
    first = await read_some(source)
    await bench.put("a.txt", "22")
    second = await read_some(source)
    await source.commit([*first, *second])
    await bench.stop()
    assert values([*first, *second]) == [b"1", b"22"]
    assert await read_nothing(await bench.source())


async def test_a_deleted_object_gives_a_record_without_value(bench: SourceBench) -> None:
    await filled(bench, "a.txt", "b.txt")
    source = await bench.source(emit_deletions=True)
    await source.commit(await read_some(source))
    await bench.remove("a.txt")
    [record] = await read_some(source)
    assert (record.key(), record.value()) == ("a.txt", None)
    assert dict(record.headers())["recordType"] == "sourceObjectDeleted"
    await source.commit([record])
    assert await read_nothing(source)


async def test_deletions_can_be_told_to_a_topic_once(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source(deleted_objects_topic="gone")
    await source.commit(await read_some(source))
    await bench.remove("a.txt")
    assert await read_nothing(source)
    [(topic, record)] = bench.sent
    headers = dict(record.headers())
    assert (topic, headers["name"], headers["recordType"]) == ("gone", "a.txt", "sourceObjectDeleted")
    await bench.stop()
    assert await read_nothing(await bench.source(deleted_objects_topic="gone"))
    assert len(bench.sent) == 1


async def test_a_source_does_not_report_its_own_deletions(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source(delete_objects=True, emit_deletions=True)
    await source.commit(await read_some(source))
    assert await bench.names() == []
    assert await read_nothing(source)


async def test_what_is_no_longer_wanted_is_not_taken_for_deleted(bench: SourceBench) -> None:
    await filled(bench, "a.txt", "b.pdf", "deep/c.pdf")
    source = await bench.source(emit_deletions=True)
    await source.commit(await read_some(source))
    await bench.stop()
    assert await read_nothing(await bench.source(emit_deletions=True, file_extensions="pdf", recursive=False))


async def test_an_object_whose_record_was_skipped_stays_until_it_changes(bench: SourceBench) -> None:
    await filled(bench, "bad.txt", "good.txt")
    source = await bench.source(delete_objects=True)
    bad, good = await read_some(source)
    await source.skipped([bad])
    await source.commit([bad, good])
    assert await bench.names() == ["bad.txt"]
    assert await read_nothing(source)
    await bench.stop()
    source = await bench.source(delete_objects=True)
    await bench.put("bad.txt", "content of bad.txt")
    assert await read_nothing(source)
    assert await bench.names() == ["bad.txt"]
    await bench.put("bad.txt", "better")
    await source.commit(await read_some(source))
    assert await bench.names() == []


async def test_a_permanent_failure_keeps_the_object(bench: SourceBench) -> None:
    await filled(bench, "a.txt")
    source = await bench.source(delete_objects=True)
    [record] = await read_some(source)
    with pytest.raises(ValueError, match="bad"):
        await source.permanent_failure(record, ValueError("bad"))
    await bench.stop()
    assert keys(await read_some(await bench.source(delete_objects=True))) == ["a.txt"]


async def test_too_large_objects_are_left_out_with_one_warning(
    bench: SourceBench, caplog: pytest.LogCaptureFixture
) -> None:
    await filled(bench, "a.txt")
    await bench.put("large.txt", "x" * 2000)
    source = await bench.source(max_object_size="1K", delete_objects=True)
    await source.commit(await read_some(source))
    assert await read_nothing(source)
    assert await bench.names() == ["large.txt"]
    assert ["more than max-" in record.message for record in caplog.records].count(True) == 1


async def test_replicas_share_the_objects(bench: SourceBench) -> None:
    names = [f"{number}.txt" for number in range(8)]
    await filled(bench, *names)
    first = await bench.source(state="state-0", replica=0, replicas=2, emit_deletions=True)
    second = await bench.source(state="state-1", replica=1, replicas=2, emit_deletions=True)
    shares = [await read_all(first), await read_all(second)]
    assert all(shares)
    assert sorted(keys([*shares[0], *shares[1]])) == names
    await first.commit(shares[0])
    await second.commit(shares[1])
    assert await read_nothing(first)
    assert await read_nothing(second)


async def test_many_objects_are_under_way_at_once(bench: SourceBench) -> None:
    await filled(bench, *(f"{number:02}.txt" for number in range(40)))
    source = await bench.source()
    first = await read_some(source)
    assert len(first) > 1
    records = [*first, *await read_all(source)]
    assert keys(records) == [f"{number:02}.txt" for number in range(40)]
    assert source.info()["under-way"] == 40


async def test_a_cancelled_read_loses_nothing(bench: SourceBench) -> None:
    await filled(bench, *(f"{number}.txt" for number in range(7)))
    source = await bench.source(emit_deletions=True)
    for wait in (0, 0, 0.001, 0.005):
        task = asyncio.create_task(source.read(0))
        await asyncio.sleep(wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    found: list[str] = []
    while records := await source.read(3):
        found += keys(records)
        await source.commit(records)
    assert found == [f"{number}.txt" for number in range(7)]
    assert await read_nothing(source)


async def test_info_tells_the_place_and_the_numbers(bench: SourceBench) -> None:
    await filled(bench, "a.txt", "b.txt")
    source = await bench.source()
    await source.commit(await source.read(1))
    facts = source.info()
    assert (facts["delivered"], facts["under-way"], facts["waiting"]) == (1, 0, 1)
    label = {"file-source": "path", "s3-source": "bucketName", "azure-blob-storage-source": "container"}
    place = bench.store.bucket if isinstance(bench, BucketSources) else str(bench.directory / "inbox")
    assert facts[label.get(bench.type_name, "bucket")] == place
