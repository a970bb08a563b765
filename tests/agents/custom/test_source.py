"""python-source: reading, committing the very objects that were read, failing for good."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from langstream.agents.custom import source
from langstream.errors import RecordError
from langstream.records import AvroValue, Record, SimpleRecord

Application = Any

QUEUE = """
import queue
from langstream import AvroValue, SimpleRecord

class Agent:
    def __init__(self):
        self.todo = queue.Queue()
        self.given, self.committed, self.failed = [], [], []

    {prefix}def read(self):
        try:
            results = self.todo.get({wait})
        except queue.Empty:
            return []
        self.given += results
        return results

    {prefix}def commit(self, record):
        if isinstance(record.value(), str) and record.value().startswith("bad"):
            raise ValueError("cannot commit")
        self.committed.append(record)
"""


async def read_some(agent: source.CustomSource, limit: int = 100) -> list[Record]:
    """The first records that come."""
    for _ in range(1000):
        if records := await agent.read(limit):
            return list(records)
    raise AssertionError("nothing was read")


def user(agent: source.CustomSource) -> Any:
    """The object of the user's class."""
    assert agent._agent is not None
    return agent._agent.instance


async def queue_source(application: Application, *batches: Sequence[Any], prefix: str = "") -> source.CustomSource:
    """A source that gives these batches, one per read."""
    wait = "block=False" if prefix else "timeout=0.01"
    agent: source.CustomSource = await application.source(QUEUE.format(prefix=prefix, wait=wait))
    for batch in batches:
        user(agent).todo.put(list(batch))
    return agent


@pytest.mark.parametrize("prefix", ["", "async "])
async def test_results_of_every_shape_become_records_in_order(application: Application, prefix: str) -> None:
    avro = AvroValue({"type": "int"}, 5)
    agent = await queue_source(
        application, [SimpleRecord(avro), SimpleRecord(42), {"value": 43}, (44, "k")], prefix=prefix
    )
    records = await read_some(agent)
    assert [record.value() for record in records] == [avro, 42, 43, 44]


@pytest.mark.parametrize("prefix", ["", "async "])
async def test_commit_gets_the_very_objects_one_by_one_in_order(application: Application, prefix: str) -> None:
    class Mine(SimpleRecord):
        """A record class of the user."""

    first, second = Mine("a"), SimpleRecord("b", headers=[("h", "1")])
    agent = await queue_source(application, [first, second, {"value": "c"}], prefix=prefix)
    records = await read_some(agent)
    await agent.commit(records[:2])
    await agent.commit(records[2:])
    committed = user(agent).committed
    assert committed[0] is first
    assert committed[1] is second
    assert committed[2] is records[2]


async def test_equal_records_are_told_apart(application: Application) -> None:
    twins = [SimpleRecord("same", headers=[("h", "1")]), SimpleRecord("same", headers=[("h", "1")])]
    agent = await queue_source(application, twins)
    one, two = await read_some(agent)
    await agent.commit([two])
    await agent.commit([one])
    assert [record is twin for record, twin in zip(user(agent).committed, reversed(twins), strict=True)] == [True, True]


async def test_a_failing_commit_raises_after_the_earlier_ones(application: Application) -> None:
    agent = await queue_source(application, [("good",), ("bad",), ("late",)])
    records = await read_some(agent)
    with pytest.raises(ValueError, match="cannot commit"):
        await agent.commit(records)
    assert [record.value() for record in user(agent).committed] == ["good"]


async def test_a_source_needs_no_commit(application: Application) -> None:
    agent = await application.source("class Agent:\n    def read(self):\n        return [('x',)]\n")
    await agent.commit(await read_some(agent))


async def test_a_commit_does_not_wait_for_a_read_that_blocks(application: Application) -> None:
    agent = await application.source(
        """
        import threading

        class Agent:
            first = True

            def __init__(self):
                self.committed = threading.Event()

            def read(self):
                if self.first:
                    self.first = False
                    return [("x",)]
                assert self.committed.wait(30)
                return [("after the commit",)]

            def commit(self, record):
                self.committed.set()
        """
    )
    records = await read_some(agent)
    reading = asyncio.create_task(read_some(agent))
    await asyncio.sleep(0)
    await agent.commit(records)
    assert [record.value() for record in await reading] == ["after the commit"]


async def test_no_more_records_than_asked_for_are_handed_out_and_none_is_lost(application: Application) -> None:
    agent = await queue_source(application, [(number,) for number in range(5)])
    sizes: list[int] = []
    seen: list[Any] = []
    while len(seen) < 5:
        records = await read_some(agent, 2)
        sizes.append(len(records))
        seen += [record.value() for record in records]
    assert (sizes, seen) == ([2, 2, 1], [0, 1, 2, 3, 4])


async def test_a_cancelled_read_loses_nothing(application: Application) -> None:
    agent = await queue_source(application)
    task = asyncio.create_task(agent.read(10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    user(agent).todo.put([("late",)])
    assert [record.value() for record in await read_some(agent)] == ["late"]


async def test_empty_reads_are_followed_by_growing_pauses_and_a_record_ends_them(application: Application) -> None:
    agent = await application.source(
        """
        class Agent:
            reads = 0

            def read(self):
                self.reads += 1
                return [("x",)] if self.reads == 5 else []
        """
    )
    pauses = []
    while not await agent.read(10):
        pauses.append(agent._pause)
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1] <= source.LONGEST_PAUSE_SECONDS
    assert agent._pause == source.FIRST_PAUSE_SECONDS


@pytest.mark.parametrize("prefix", ["", "async "])
async def test_permanent_failure_gets_the_original_record_and_the_error(application: Application, prefix: str) -> None:
    extra = "    {prefix}def permanent_failure(self, record, error):\n        self.failed.append((record, error))\n"
    agent = await application.source((QUEUE + extra).format(prefix=prefix, wait="block=False"))
    original = SimpleRecord("x", headers=[("h", "1")])
    user(agent).todo.put([original])
    [record] = await read_some(agent)
    error = RuntimeError("for good")
    await agent.permanent_failure(record, error)
    [(failed, reason)] = user(agent).failed
    assert failed is original
    assert reason is error


async def test_without_permanent_failure_the_error_is_raised(application: Application) -> None:
    agent = await queue_source(application, [("x",)])
    [record] = await read_some(agent)
    with pytest.raises(RuntimeError, match="for good"):
        await agent.permanent_failure(record, RuntimeError("for good"))


async def test_a_permanent_failure_that_raises_stops_the_agent(application: Application) -> None:
    agent = await application.source(
        "from langstream import Source\nclass Agent(Source):\n    def read(self):\n        return [('x',)]\n"
    )
    [record] = await read_some(agent)
    with pytest.raises(RuntimeError, match="for good"):
        await agent.permanent_failure(record, RuntimeError("for good"))


@pytest.mark.parametrize("prefix", ["", "async "])
async def test_a_failing_read_raises_and_the_next_read_is_tried(application: Application, prefix: str) -> None:
    agent = await application.source(
        f"""
        class Agent:
            reads = 0

            {prefix}def read(self):
                self.reads += 1
                if self.reads == 1:
                    raise ValueError("test-error")
                return [("x",)]
        """
    )
    with pytest.raises(ValueError, match="test-error"):
        await agent.read(1)
    assert [record.value() for record in await read_some(agent)] == ["x"]


@pytest.mark.parametrize(
    ("returned", "complaint"), [("None", "read() returned None"), ("[5]", "read() returned an int"), ("7", "an int")]
)
async def test_nonsense_from_read_is_refused(application: Application, returned: str, complaint: str) -> None:
    agent = await application.source(f"class Agent:\n    def read(self):\n        return {returned}\n")
    with pytest.raises(RecordError) as caught:
        await agent.read(1)
    assert complaint in str(caught.value)


async def test_exiting_in_read_is_a_failure_of_the_agent_and_not_the_end_of_the_process(
    application: Application,
) -> None:
    agent = await application.source("import sys\nclass Agent:\n    def read(self):\n        sys.exit(1)\n")
    with pytest.raises(RecordError, match=r"read\(\) called sys.exit\(1\)"):
        await agent.read(1)


async def test_read_may_return_a_future_or_be_a_generator(application: Application) -> None:
    application.write(
        "python/two.py",
        """
        from concurrent.futures import ThreadPoolExecutor

        class Agent:
            def start(self):
                self.pool = ThreadPoolExecutor(1)

            def read(self):
                return self.pool.submit(lambda: [("future",)])

            def close(self):
                self.pool.shutdown()
        """,
    )
    one = await application.source("class Agent:\n    def read(self):\n        yield ('generated',)\n")
    two = await application.start(source.AGENT, "two.Agent", agent_id="a2")
    assert [record.value() for record in await read_some(one)] == ["generated"]
    assert [record.value() for record in await read_some(two)] == ["future"]
