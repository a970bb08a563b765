"""Fused transforms behave as they do one after the other, on a record parsed once and written once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langstream import records as records_module
from langstream.errors import RecordError
from langstream.records import Dispatched, SimpleRecord
from langstream.sdk.contract import AgentContext, Processor

Make = Callable[..., Processor]


def fused(processors: Sequence[Processor]) -> Processor:
    def fuse(first: Processor, second: Processor) -> Processor:
        both = first.fuse(second)
        assert both is not None
        return both

    return reduce(fuse, processors)


def rewritten(record: SimpleRecord) -> SimpleRecord:
    """The record as the next node reads it from a topic."""
    made = SimpleRecord(record.value(), record.key(), record.headers(), record.origin(), record.timestamp())
    made.destination = record.destination
    return made


def one_after_the_other(processors: Sequence[Processor], record: SimpleRecord) -> Any:
    """The results, or the class of the error, of agents that are not fused; events leave at once."""
    left: list[SimpleRecord] = []
    current = [record]
    for processor in processors:
        following: list[SimpleRecord] = []
        for item in current:
            (outcome,) = processor.process_batch([rewritten(item)])
            if isinstance(outcome, Exception):
                return type(outcome)
            for result in outcome:
                assert isinstance(result, SimpleRecord)
                (left if isinstance(result, Dispatched) else following).append(result)
        current = following
    return [*left, *current]


def compute(**fields: str) -> tuple[str, dict[str, Any]]:
    names = {name.replace("__", "."): expression for name, expression in fields.items()}
    return "compute", {"fields": [{"name": name, "expression": text, "type": "STRING"} for name, text in names.items()]}


STEPS: list[tuple[str, dict[str, Any] | None]] = [
    compute(value__a="fn:concat(value.a, '.')"),
    compute(value__a="value.b", value__c="value.a"),
    compute(value="fn:toJson(value.n)"),
    compute(value="fn:concat('{', value.a, '}')"),
    compute(key="value.a"),
    compute(key__k="value.b"),
    compute(messageKey="fn:toJson(value.n)"),
    compute(destinationTopic="value.b"),
    compute(properties__h="key", properties__i="destinationTopic"),
    ("compute", {"fields": [{"name": "value.self", "expression": "fn:mapOf('it', value, 'key', key)"}]}),
    ("compute", {"when": "value.a == 'x'", "fields": [{"name": "value.w", "expression": "1"}]}),
    ("drop", {"when": "value.a == 'x.'"}),
    ("drop-fields", {"fields": ["a"]}),
    ("drop-fields", {"fields": ["b"], "part": "value"}),
    ("merge-key-value", None),
    ("unwrap-key-value", None),
    ("unwrap-key-value", {"unwrapKey": True}),
    ("cast", {"schema-type": "STRING"}),
    ("cast", {"schema-type": "BYTES", "part": "key"}),
    ("flatten", None),
    ("identity", None),
    ("document-to-json", {"text-field": "a"}),
    (
        "dispatch",
        {"routes": [{"when": "value.a == 'y'", "destination": "side"}, {"when": "key == 'x'", "action": "drop"}]},
    ),
    ("trigger-event", {"destination": "events", "fields": [{"name": "value.event", "expression": "key"}]}),
    ("trigger-event", {"destination": "e", "when": "value.a == 'x'", "continue-processing": False}),
]
CONTENTS: list[Any] = [
    '{"a": "x", "b": "y", "n": {"a": "z", "m": {"b": 1.50}}}',
    '{"a":"y","b":null,"n":{}}',
    b'{"a":"x.","k":[1]}',
    '{"n":{"a":"x"},"n_a":1}',
    "x",
    b"\xff",
    "[1]",
    None,
]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=5),
    value=st.sampled_from(CONTENTS),
    key=st.sampled_from(CONTENTS),
)
def test_a_chain_does_what_its_agents_do_one_after_the_other(
    make: Make, steps: list[tuple[str, dict[str, Any] | None]], value: Any, key: Any
) -> None:
    record = SimpleRecord(value, key, [("h", "1"), ("g", b"2"), ("h", "3")], "in", 5)
    before = (record.value(), record.key(), record.headers())
    agents = [make(agent, options) for agent, options in steps]
    expected = one_after_the_other(agents, record)
    (outcome,) = fused([make(agent, options) for agent, options in steps]).process_batch([record])
    if isinstance(outcome, Exception):
        assert expected is type(outcome) is RecordError
    else:
        assert not isinstance(expected, type)
        results = [(seen(result), type(result)) for result in outcome if isinstance(result, SimpleRecord)]
        assert results == [(seen(result), type(result)) for result in expected]
    assert (record.value(), record.key(), record.headers()) == before


def seen(record: SimpleRecord) -> Any:
    """What the next node sees: JSON by its content, because numbers may be written differently."""

    def parsed(part: Any) -> Any:
        try:
            return type(part), json.loads(part)
        except (ValueError, TypeError):
            return part

    return (
        parsed(record.value()),
        parsed(record.key()),
        record.headers(),
        record.origin(),
        record.timestamp(),
        record.destination,
    )


def chain(make: Make) -> Processor:
    return fused(
        [
            make("compute", {"fields": [{"name": "value.c", "expression": "value.a + 1"}]}),
            make("drop", {"when": "value.c == 7"}),
            make("drop-fields", {"fields": ["a"]}),
            make("compute", {"fields": [{"name": "value.d", "expression": "value.c * 2"}]}),
        ]
    )


def test_json_is_parsed_once_and_written_once(make: Make) -> None:
    processor = chain(make)
    with (
        patch.object(records_module, "_loads", wraps=orjson.loads) as loads,
        patch.object(records_module, "_dumps", wraps=orjson.dumps) as dump,
    ):
        (outcome,) = processor.process_batch([SimpleRecord('{"a": 1}', "k")])
        assert (loads.call_count, dump.call_count) == (1, 0)
        assert not isinstance(outcome, Exception)
        assert [outcome[0].value(), outcome[0].value()] == ['{"c":2,"d":4}'] * 2
        assert (loads.call_count, dump.call_count) == (1, 1)


def test_a_value_nobody_looks_at_is_not_parsed(make: Make) -> None:
    processor = make("dispatch", {"routes": [{"when": "properties.h == '1'", "destination": "side"}]})
    with patch.object(records_module, "_loads", wraps=orjson.loads) as loads:
        processor.process_batch([SimpleRecord('{"a": 1}', '{"k": 1}', [("h", "1")])])
        assert loads.call_count == 0


async def test_an_error_names_the_agent_of_the_chain_it_comes_from(make: Make) -> None:
    processors = []
    for agent_id in ("first", "second"):
        processor = make("compute", {"fields": [{"name": f"value.{agent_id}", "expression": f"value.{agent_id} + 1"}]})
        await processor.start(AgentContext(agent_id=agent_id, application_id="app"))
        processors.append(processor)
    (outcome,) = fused(processors).process_batch([SimpleRecord('{"first":1,"second":"x"}')])
    assert isinstance(outcome, RecordError)
    assert str(outcome).startswith("second (compute): value.second: ")


@pytest.mark.parametrize("depth", [900, 1020])
def test_deep_values_pass_a_chain_or_fail_as_a_record(make: Make, depth: int) -> None:
    text = '{"a":1,"deep":' + "[" * depth + "]" * depth + "}"
    fine = SimpleRecord('{"a":1}')
    outcomes = chain(make).process_batch([fine, SimpleRecord(text), fine])
    first, deep, last = outcomes
    assert not isinstance(first, Exception)
    assert not isinstance(last, Exception)
    assert not isinstance(deep, Exception)
    assert deep[0].value() == '{"deep":' + "[" * depth + "]" * depth + ',"c":2,"d":4}'


def test_huge_integers_pass_a_chain_exactly(make: Make) -> None:
    huge = 10**400
    (outcome,) = chain(make).process_batch([SimpleRecord(f'{{"a":1,"huge":{huge},"x":-{huge}}}')])
    assert not isinstance(outcome, Exception)
    assert outcome[0].value() == f'{{"huge":{huge},"x":-{huge},"c":2,"d":4}}'
