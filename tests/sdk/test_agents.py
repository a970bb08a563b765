"""The base classes of custom agents do what an agent without them does, and say what is missing."""

from __future__ import annotations

import inspect

import pytest

import langstream
from langstream import Agent, Processor, Service, SimpleRecord, Sink, Source


def test_everything_an_author_needs_is_exported() -> None:
    names = {
        "Agent",
        "AgentContext",
        "AvroValue",
        "Processor",
        "Record",
        "RecordType",
        "Service",
        "SimpleRecord",
        "Sink",
    }
    assert names | {"Source", "TopicProducer"} == set(langstream.__all__)
    assert all(hasattr(langstream, name) for name in langstream.__all__)


def test_the_life_cycle_is_optional() -> None:
    agent = Agent()
    assert agent.init({}, None) is None  # type: ignore[arg-type]
    assert agent.start() is None
    assert agent.close() is None
    assert agent.agent_info() == {}


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: Source().read(), "read"),
        (lambda: Processor().process(SimpleRecord("x")), "process"),
        (lambda: Sink().write(SimpleRecord("x")), "write"),
        (lambda: Service().main(), "main"),
    ],
)
def test_the_method_of_the_role_must_be_written(call: object, name: str) -> None:
    with pytest.raises(NotImplementedError):
        call()  # type: ignore[operator]


def test_a_source_stops_at_a_permanent_failure_unless_it_says_otherwise() -> None:
    error = ValueError("for good")
    with pytest.raises(ValueError, match="for good") as caught:
        Source().permanent_failure(SimpleRecord("x"), error)
    assert caught.value is error
    assert Source().commit(SimpleRecord("x")) is None


def test_records_are_made_in_the_order_value_key_headers_origin_timestamp() -> None:
    assert list(inspect.signature(SimpleRecord).parameters) == ["value", "key", "headers", "origin", "timestamp"]
    record = SimpleRecord("v", "k", [("h", 1)], "o", 5)
    assert (record.value(), record.key(), record.headers(), record.origin(), record.timestamp()) == (
        "v",
        "k",
        [("h", 1)],
        "o",
        5,
    )
    assert SimpleRecord("v").headers() == []
