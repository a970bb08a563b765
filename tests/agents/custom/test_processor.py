"""python-processor: results, failures, order, concurrency; nothing a user's class does harms anything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from langstream.agents.custom import processor
from langstream.agents.custom.calls import PLAIN
from langstream.errors import RecordError
from langstream.records import AvroValue, Document, SimpleRecord, parse_document
from langstream.sdk.contract import Batching, NotAttempted, Outcome

Application = Any


def records(*values: Any, key: Any = None) -> list[SimpleRecord]:
    """Records of the values, all with one key."""
    return [SimpleRecord(value, key) for value in values]


def values(outcome: Outcome) -> list[Any]:
    """The values of the results."""
    assert not isinstance(outcome, Exception), outcome
    return [result.value() for result in outcome]


async def drain(agent: processor.CustomProcessor, waiting: Sequence[SimpleRecord]) -> list[Outcome]:
    """Every record's outcome; those not attempted are handed in again, as the runtime does."""
    outcomes: dict[int, Outcome] = {}
    left = list(waiting)
    while left:
        batch = left[: agent.batching.max_records]
        answers = await agent.process_batch(batch)
        assert not isinstance(answers[0], NotAttempted), "every call makes progress"
        settled = {id(record): outcome for record, outcome in zip(batch, answers, strict=True)}
        outcomes |= {number: outcome for number, outcome in settled.items() if not isinstance(outcome, NotAttempted)}
        left = [record for record in left if id(record) not in outcomes]
    return [outcomes[id(record)] for record in waiting]


@pytest.mark.parametrize(
    "expression",
    [
        "SimpleRecord('v', 'k', [('h', 1)], 'o', 5)",
        "{'value': 'v', 'key': 'k', 'headers': [('h', 1)], 'origin': 'o', 'timestamp': 5}",
        "('v', 'k', [('h', 1)], 'o', 5)",
        "['v', 'k', [('h', 1)], 'o', 5]",
        "Own()",
        "{'value': 'v', 'key': 'k', 'headers': {'h': 1}, 'origin': 'o', 'timestamp': 5.9}",
    ],
)
async def test_a_result_may_be_any_shape_of_record(application: Application, expression: str) -> None:
    agent = await application.processor(
        f"""
        from langstream import SimpleRecord

        class Own:
            def value(self): return 'v'
            def key(self): return 'k'
            def headers(self): return [('h', 1)]
            def origin(self): return 'o'
            def timestamp(self): return 5

        class Agent:
            def process(self, record):
                return [{expression}]
        """
    )
    [outcome] = await agent.process_batch(records("x"))
    assert outcome == [SimpleRecord("v", "k", [("h", 1)], "o", 5)]


@pytest.mark.parametrize(
    "value", [None, b"b", "s", True, 2**70, 1.5, {"a": [1]}, [1, None], AvroValue({"type": "int"}, 1)]
)
async def test_values_of_every_kind_pass_unchanged(application: Application, value: Any) -> None:
    agent = await application.processor(
        """
        class Agent:
            def process(self, record):
                return [(record.value(), record.key(), record.headers(), record.origin(), record.timestamp())]
        """
    )
    record = SimpleRecord(value, value, [("h", value)], "topic", 1)
    assert await agent.process_batch([record]) == [[record]]


async def test_a_large_text_passes(application: Application) -> None:
    agent = await application.processor("class Agent:\n    def process(self, record):\n        return [record]\n")
    [outcome] = await agent.process_batch(records("x" * 10_000_000))
    assert len(values(outcome)[0]) == 10_000_000


async def test_a_record_of_a_built_in_agent_shows_its_json_as_text(application: Application) -> None:
    agent = await application.processor(
        """
        class Agent:
            def process(self, record):
                return [(record.value(),)]
        """
    )
    [outcome] = await agent.process_batch([SimpleRecord(Document({"n": 2}))])
    assert values(outcome) == ['{"n":2}']


async def test_a_record_passed_on_keeps_its_parsed_document_and_destination(application: Application) -> None:
    agent = await application.processor("class Agent:\n    def process(self, record):\n        return [record]\n")
    record = SimpleRecord(parse_document('{"a": 1}'), headers=[("h", "1")])
    record.destination = "elsewhere"
    [outcome] = await agent.process_batch([record])
    assert not isinstance(outcome, Exception)
    assert outcome[0] is record


@pytest.mark.parametrize(
    ("returned", "complaint"),
    [
        ("None", "returned None: expected a list of records (an empty list for none)"),
        ("5", "returned an int: expected a list of records"),
        ("'text'", "returned a str: expected a list of records. Put it into a list"),
        ("{'value': 1}", "returned a dict: expected a list of records. Put it into a list"),
        ("record", "returned a SimpleRecord: expected a list"),
        ("[5]", "returned an int as a record: expected a record, a dict or a tuple. Wrap the value"),
        ("[None]", "returned None as a record"),
        ("[{'valeu': 1}]", "unknown name 'valeu' as a record. Did you mean 'value'?"),
        ("[{'name': 1, 'age': 2}]", "A dict that is itself the value goes into {'value': {...}}"),
        ("[{'key': 1}]", "a dict without 'value'"),
        ("[()]", "a tuple of 0 items as a record: expected 1 to 5"),
        ("[(1, 2, [], None, 5, 6)]", "a tuple of 6 items"),
        ("[(1, 2, 'headers')]", "headers are a str: expected (name, value) pairs"),
        ("[(1, 2, [('a',)])]", "the header ('a',): expected a pair"),
        ("[(1, 2, [(1, 'a')])]", "the header (1, 'a'): expected a pair"),
        ("[(1, 2, 7)]", "headers are an int"),
        ("[(1, 2, 0)]", "headers are an int"),
        ("[(1, 2, [], 5)]", "origin is an int: expected text or None"),
        ("[(1, 2, [], None, 'now')]", "timestamp is a str: expected milliseconds"),
        ("[(1, 2, [], None, True)]", "timestamp is a bool"),
        ("[(object(),)]", "value is an object: expected text, bytes"),
        ("[(1, {1, 2})]", "key is a set"),
        ("[(1, 2, [('h', object())])]", "header 'h' is an object"),
    ],
)
async def test_nonsense_is_an_error_of_the_record_that_says_what_was_expected(
    application: Application, returned: str, complaint: str
) -> None:
    agent = await application.processor(f"class Agent:\n    def process(self, record):\n        return {returned}\n")
    [outcome] = await agent.process_batch(records("x"))
    assert isinstance(outcome, RecordError)
    assert str(outcome).startswith("process() returned")
    assert complaint in str(outcome)


async def test_results_may_come_from_a_generator(application: Application) -> None:
    agent = await application.processor(
        """
        class Agent:
            def process(self, record):
                for mark in record.value():
                    yield (mark,)
        """
    )
    [outcome] = await agent.process_batch(records("ab"))
    assert values(outcome) == ["a", "b"]


async def test_an_asynchronous_generator_gives_results_too(application: Application) -> None:
    agent = await application.processor(
        """
        import asyncio

        class Agent:
            async def process(self, record):
                for mark in record.value():
                    await asyncio.sleep(0)
                    yield (mark,)
        """
    )
    [outcome] = await agent.process_batch(records("ab"))
    assert values(outcome) == ["a", "b"]


async def test_an_exception_is_the_outcome_of_its_record_with_type_and_message(application: Application) -> None:
    agent = await application.processor(
        """
        class Agent:
            def process(self, record):
                if record.value() == "bad":
                    raise ValueError("cannot digest")
                return [record]
        """
    )
    good, bad, after = await drain(agent, records("good", "bad", "better"))
    assert values(good) == ["good"]
    assert isinstance(bad, ValueError)
    assert str(bad) == "cannot digest"
    assert values(after) == ["better"]


async def test_records_after_a_failed_one_are_not_attempted_in_the_same_call(application: Application) -> None:
    agent = await application.processor(
        """
        class Agent:
            def __init__(self):
                self.failures = 0

            def process(self, record):
                if record.value() == "1" and self.failures < 2:
                    self.failures += 1
                    raise ConnectionError("later")
                return [{"value": f"{record.value()} after {self.failures}"}]
        """
    )
    batch = records("1", "2", "3", key="k")
    for _ in range(2):
        first, *rest = await agent.process_batch(batch)
        assert isinstance(first, ConnectionError)
        assert all(isinstance(outcome, NotAttempted) for outcome in rest)
    assert [values(outcome) for outcome in await drain(agent, batch)] == [["1 after 2"], ["2 after 2"], ["3 after 2"]]


@pytest.mark.parametrize(
    ("statement", "kind", "message"),
    [
        ("sys.exit(3)", RecordError, "process() called sys.exit(3)"),
        ("sys.exit()", RecordError, "process() called sys.exit()"),
        ("raise KeyboardInterrupt", RecordError, "process() raised KeyboardInterrupt"),
        ("raise GeneratorExit", RecordError, "process() raised GeneratorExit"),
        ("raise asyncio.CancelledError", RecordError, "process() raised CancelledError"),
        ("raise StopIteration(5)", RecordError, "process() raised StopIteration: 5"),
        ("raise Unreadable", RecordError, "process() raised Unreadable, whose text cannot be read"),
        ("return 1 / 0", ZeroDivisionError, "division by zero"),
        ("return self.process(record)", RecursionError, "maximum recursion depth exceeded"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "async "])
async def test_what_would_end_the_process_is_a_failure_of_one_record(
    application: Application, statement: str, kind: type[Exception], message: str, prefix: str
) -> None:
    if prefix and "self.process" in statement:
        statement = "return await self.process(record)"
    if prefix and "StopIteration" in statement:
        kind, message = RuntimeError, "coroutine raised StopIteration"
    agent = await application.processor(
        f"""
        import asyncio
        import sys

        class Unreadable(Exception):
            def __str__(self):
                raise RuntimeError("no text")

        class Agent:
            {prefix}def process(self, record):
                if record.value() == "fine":
                    return [record]
                {statement}
        """
    )
    for _ in range(2):
        [outcome] = await agent.process_batch(records("x"))
        assert isinstance(outcome, kind)
        assert message in str(outcome)
    assert [values(outcome) for outcome in await agent.process_batch(records("fine"))] == [["fine"]]


async def test_a_plain_method_runs_in_one_thread_of_its_own_never_two_records_at_a_time(
    application: Application,
) -> None:
    agent = await application.processor(
        """
        import threading
        import time

        class Agent:
            busy = False

            def process(self, record):
                assert not self.busy
                self.busy = True
                time.sleep(0.001)
                self.busy = False
                return [(threading.current_thread().name,)]
        """
    )
    assert agent.batching == PLAIN
    outcomes = await asyncio.gather(*(drain(agent, records(*range(5))) for _ in range(4)))
    names = {value for answers in outcomes for outcome in answers for value in values(outcome)}
    assert names == {"agent a1"}
    assert threading.current_thread().name not in names


async def test_a_slow_plain_method_hands_over_what_is_ready(application: Application) -> None:
    agent = await application.processor(
        """
        import time

        class Agent:
            def process(self, record):
                time.sleep(0.03)
                return [record]
        """
    )
    first, *rest = await agent.process_batch(records(*range(20)))
    assert values(first) == [0]
    assert all(isinstance(outcome, NotAttempted) for outcome in rest)


async def test_a_blocked_agent_blocks_neither_the_loop_nor_another_agent(application: Application) -> None:
    application.write(
        "python/other.py", "class Agent:\n    async def process(self, record):\n        return [record]\n"
    )
    blocked = await application.processor(
        """
        import threading

        GATE = threading.Event()

        class Agent:
            async def process(self, record):
                GATE.wait()  # blocks the agent's own event loop
                return [record]
        """
    )
    other = await application.start(processor.AGENT, "other.Agent", agent_id="a2")
    waiting = asyncio.create_task(blocked.process_batch(records("x")))
    assert [values(outcome) for outcome in await other.process_batch(records("y"))] == [["y"]]
    assert not waiting.done()
    blocked._agent.instance.process.__globals__["GATE"].set()
    assert [values(outcome) for outcome in await waiting] == [["x"]]


async def test_coroutines_of_different_records_run_at_the_same_time(application: Application) -> None:
    agent = await application.processor(
        """
        import asyncio

        class Agent:
            def __init__(self):
                self.present = 0
                self.all = asyncio.Event()

            async def process(self, record):
                self.present += 1
                if self.present == 10:
                    self.all.set()
                await self.all.wait()
                return [record]
        """
    )
    assert agent.batching == Batching(max_records=1, concurrency=64, ordering="serial")
    outcomes = await asyncio.gather(*(agent.process_batch([record]) for record in records(*range(10))))
    assert [values(outcome) for [outcome] in outcomes] == [[number] for number in range(10)]


async def test_futures_of_different_records_run_at_the_same_time(application: Application) -> None:
    agent = await application.processor(
        """
        import threading
        from concurrent.futures import ThreadPoolExecutor

        class Agent:
            def start(self):
                self.pool = ThreadPoolExecutor(3)
                self.all = threading.Barrier(3)

            def process(self, record):
                return self.pool.submit(self.work, record)

            def work(self, record):
                self.all.wait()
                return [(record.value() + "!",)]

            def close(self):
                self.pool.shutdown()
        """
    )
    batch = [SimpleRecord(value, value) for value in ("a", "b", "c")]
    assert [values(outcome) for outcome in await agent.process_batch(batch)] == [["a!"], ["b!"], ["c!"]]
    assert agent.batching == Batching(max_records=1, concurrency=64, ordering="serial")


async def test_the_application_says_how_many_calls_may_be_under_way(application: Application) -> None:
    source = """
        class Agent:
            def init(self, config):
                self.found = config.get("concurrency")

            async def process(self, record):
                return [(self.found,)]
        """
    for written, meant in ((500, 500), ("12", 12)):
        agent = await application.processor(source, concurrency=written)
        assert agent.batching.concurrency == meant
        assert values((await agent.process_batch(records(1)))[0]) == [written]


@pytest.mark.parametrize("own", [0, -3, 10_001, 2.5, True, "many", ["a"], {"at-once": 3}])
async def test_an_option_of_that_name_may_mean_something_else_to_the_class(application: Application, own: Any) -> None:
    agent = await application.processor(
        """
        class Agent:
            def init(self, config):
                self.found = config["concurrency"]

            async def process(self, record):
                return [(repr(self.found),)]
        """,
        concurrency=own,
    )
    assert agent.batching.concurrency == 64
    assert values((await agent.process_batch(records(1)))[0]) == [repr(own)]


async def test_of_equal_keys_only_one_future_is_under_way(application: Application) -> None:
    agent = await application.processor(
        """
        from concurrent.futures import ThreadPoolExecutor

        class Agent:
            def start(self):
                self.pool = ThreadPoolExecutor(3)

            def process(self, record):
                return self.pool.submit(lambda: [record])

            def close(self):
                self.pool.shutdown()
        """
    )
    first, second = await agent.process_batch(records(1, 2, key="k"))
    assert values(first) == [1]
    assert isinstance(second, NotAttempted)


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("raise OSError('no disk')", OSError, "no disk"),
        ("return None", RecordError, "returned None"),
        ("sys.exit(1)", RecordError, "called sys.exit(1)"),
        ("return iter([Weird()])", RecordError, "as a record"),
    ],
)
async def test_a_future_that_fails_is_a_failure_of_its_record(
    application: Application, body: str, kind: type[Exception], message: str
) -> None:
    agent = await application.processor(
        f"""
        import sys
        from concurrent.futures import Future, ThreadPoolExecutor

        class Weird:
            pass

        class Agent:
            def start(self):
                self.pool = ThreadPoolExecutor(1)

            def process(self, record):
                return self.pool.submit(self.work)

            def work(self):
                {body}

            def close(self):
                self.pool.shutdown()
        """
    )
    [outcome] = await agent.process_batch(records("x"))
    assert isinstance(outcome, kind)
    assert message in str(outcome)


async def test_a_cancelled_future_is_a_failure_of_its_record(application: Application) -> None:
    agent = await application.processor(
        """
        from concurrent.futures import Future

        class Agent:
            def process(self, record):
                future = Future()
                future.cancel()
                return future
        """
    )
    [outcome] = await agent.process_batch(records("x"))
    assert isinstance(outcome, RecordError)
    assert "CancelledError" in str(outcome)


async def test_a_plain_method_may_return_a_coroutine(application: Application) -> None:
    agent = await application.processor(
        """
        class Agent:
            def process(self, record):
                return self.work(record)

            async def work(self, record):
                return [record]
        """
    )
    assert [values(outcome) for outcome in await agent.process_batch(records("x"))] == [["x"]]


async def test_dicts_returned_and_received_may_be_changed_afterwards(application: Application) -> None:
    agent = await application.processor(
        """
        class Agent:
            def __init__(self):
                self.state = {"seen": []}

            def process(self, record):
                value = record.value()
                value["changed"] = True
                self.state["seen"].append(value["n"])
                return [{"value": self.state}]
        """
    )
    incoming = [SimpleRecord({"n": 1}), SimpleRecord({"n": 2})]
    outcomes = await agent.process_batch(incoming)
    assert [values(outcome) for outcome in outcomes] == [[{"seen": [1]}], [{"seen": [1, 2]}]]
    assert incoming[0].value() == {"n": 1}


async def test_the_traceback_is_logged_once_with_the_frames_of_the_user(
    application: Application, caplog: pytest.LogCaptureFixture
) -> None:
    agent = await application.processor(
        """
        def digest(text):
            raise ValueError("cannot digest " + text)

        class Agent:
            def process(self, record):
                digest(record.value())
        """
    )
    for value in ("a", "b"):
        await agent.process_batch(records(value))
    [entry] = caplog.records
    assert entry.levelname == "ERROR"
    assert "agent 'a1': process() raised ValueError: cannot digest a" in entry.message
    assert entry.message.count("python/mine.py") == 2
    assert "calls.py" not in entry.message


async def test_python_function_is_the_same_agent() -> None:
    assert processor.FUNCTION.create is processor.AGENT.create
    assert processor.FUNCTION.name == "python-function"
