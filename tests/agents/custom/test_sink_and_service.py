"""python-sink and python-service, and the producer for other topics."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langstream.agents.custom.service import PORT_VARIABLE
from langstream.errors import BrokerUnavailable
from langstream.records import SimpleRecord
from langstream.sdk.contract import NotAttempted

Application = Any

WRITERS = {
    "plain": "def write(self, record):\n        self.take(record)",
    "coroutine": "async def write(self, record):\n        self.take(record)",
    "future": "def write(self, record):\n        return self.pool.submit(self.take, record)",
}

SINK = """
from concurrent.futures import ThreadPoolExecutor

class Agent:
    def __init__(self):
        self.taken = []
        self.pool = ThreadPoolExecutor(1)

    {writer}

    def take(self, record):
        if record.value() == "bad":
            raise RuntimeError("test-error")
        self.taken.append(record.value())
        return "ignored"

    def close(self):
        self.pool.shutdown()
"""


@pytest.mark.parametrize("writer", list(WRITERS))
async def test_a_sink_answers_for_every_record(application: Application, writer: str) -> None:
    agent = await application.sink(SINK.format(writer=WRITERS[writer]))
    assert await agent.write_batch([SimpleRecord("a", "1"), SimpleRecord("b", "2")]) == [None, None]
    [failure] = await agent.write_batch([SimpleRecord("bad")])
    assert isinstance(failure, RuntimeError)
    assert str(failure) == "test-error"
    assert agent._agent.instance.taken == ["a", "b"]


async def test_a_plain_sink_stores_nothing_after_a_failed_record(application: Application) -> None:
    agent = await application.sink(SINK.format(writer=WRITERS["plain"]))
    good, bad, late = await agent.write_batch([SimpleRecord("a"), SimpleRecord("bad"), SimpleRecord("late")])
    assert good is None
    assert isinstance(bad, RuntimeError)
    assert isinstance(late, NotAttempted)
    assert agent._agent.instance.taken == ["a"]


PRODUCER = """
from langstream import Sink, SimpleRecord

class Agent(Sink):
    def init(self, config, context):
        self.producer = context.get_topic_producer()

    def write(self, record):
        futures = [self.producer.write("copies", (record.value() + mark,)) for mark in "xyz"]
        for future in futures:
            future.result(30)
"""


async def test_the_topic_producer_sends_in_order_and_waits_for_the_broker(application: Application) -> None:
    agent = await application.sink(PRODUCER)
    assert await agent.write_batch([SimpleRecord("a"), SimpleRecord("b")]) == [None, None]
    assert {topic for topic, _ in application.sent} == {"copies"}
    assert [record.value() for _, bunch in application.sent for record in bunch] == ["ax", "ay", "az", "bx", "by", "bz"]


async def test_a_failing_broker_is_the_error_of_the_call(application: Application) -> None:
    agent = await application.sink(PRODUCER)
    application.send_error = BrokerUnavailable("disk full")
    [failure] = await agent.write_batch([SimpleRecord("a")])
    assert isinstance(failure, BrokerUnavailable)
    application.send_error = None
    assert await agent.write_batch([SimpleRecord("a")]) == [None]


async def test_the_topic_producer_has_a_coroutine_too(application: Application) -> None:
    agent = await application.sink(
        """
        class Agent:
            async def init(self, config, context):
                self.producer = context.get_topic_producer()

            async def write(self, record):
                await self.producer.awrite("copies", {"value": record.value()})
                await self.producer.awrite("others", {"value": record.value()})
        """
    )
    assert await agent.write_batch([SimpleRecord("a")]) == [None]
    assert [(topic, [record.value() for record in bunch]) for topic, bunch in application.sent] == [
        ("copies", ["a"]),
        ("others", ["a"]),
    ]


async def test_what_is_no_record_is_refused_at_the_call(application: Application) -> None:
    agent = await application.sink(
        """
        class Agent:
            def init(self, config, context):
                self.producer = context.get_topic_producer()

            def write(self, record):
                self.producer.write("copies", 5)
        """
    )
    [failure] = await agent.write_batch([SimpleRecord("a")])
    assert "an int as a record" in str(failure)
    assert application.sent == []


async def test_without_topics_there_is_no_producer(application: Application) -> None:
    application.write("python/mine.py", PRODUCER)
    from langstream.agents.custom import sink

    with pytest.raises(Exception, match="runs without topics"):
        await application.start(sink.AGENT, "mine.Agent", topics=None)


@pytest.mark.parametrize("prefix", ["", "async "])
async def test_a_service_runs_until_its_main_ends(application: Application, prefix: str) -> None:
    agent = await application.service(
        f"""
        import threading

        class Agent:
            def __init__(self):
                self.gate = threading.Event()
                self.calls = []

            {prefix}def main(self):
                self.gate.wait(30)
                self.calls.append("main")

            {prefix}def join(self):
                self.calls.append("join")
        """
    )
    running = asyncio.create_task(agent.main())
    await asyncio.sleep(0.01)
    assert not running.done()
    agent._agent.instance.gate.set()
    await running
    assert agent._agent.instance.calls == ["main", "join"]


async def test_a_failing_main_raises(application: Application) -> None:
    agent = await application.service("class Agent:\n    def main(self):\n        raise OSError('address in use')\n")
    with pytest.raises(OSError, match="address in use"):
        await agent.main()


async def test_main_may_report_a_failure_by_itself(application: Application) -> None:
    agent = await application.service("class Agent:\n    def main(self, crash):\n        crash('lost the lease')\n")
    await agent.main()
    assert [str(failure) for failure in application.failures] == ["mine.Agent gave up: lost the lease"]


async def test_a_service_that_does_not_end_by_itself_is_interrupted_so_that_its_port_is_free(
    application: Application,
) -> None:
    agent = await application.service(
        """
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Agent:
            def main(self):
                with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
                    self.port = server.server_port
                    server.serve_forever(poll_interval=0.01)
        """
    )
    running = asyncio.create_task(agent.main())
    for _ in range(10_000):
        if port := getattr(agent._agent.instance, "port", None):
            break
        await asyncio.sleep(0.001)
    running.cancel()
    await agent.close()
    for _ in range(1000):
        try:
            server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            server.close()
            return
    raise AssertionError("the port is still taken")


async def test_the_address_is_port_8000_unless_told_otherwise(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = (
        "class Agent:\n    def init(self, config):\n        self.config = config\n    def main(self):\n        pass\n"
    )
    assert (await application.service(source)).address() == "http://127.0.0.1:8000"
    chosen = await application.service(source, **{"service-port": "8123"})
    assert chosen.address() == chosen.info()["address"] == "http://127.0.0.1:8123"
    assert chosen._agent.instance.config["service-port"] == 8123
    monkeypatch.setenv(PORT_VARIABLE, "9001")
    assert (await application.service(source)).address() == "http://127.0.0.1:9001"
