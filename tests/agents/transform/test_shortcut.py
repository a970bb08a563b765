"""A chain that is one function does what its steps do, for any record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langstream.agents.transform.step import TransformProcessor
from langstream.records import AvroValue, Document, SimpleRecord, dump_json
from langstream.sdk.contract import Processor

Make: TypeAlias = Callable[..., Processor]

EXPRESSIONS = [
    "value.a + 1",
    "value.a * 2.5",
    "value.b += '!'",
    "value.a > 3 ? value.b : value.c",
    "value.c.d",
    "value.c",
    "value",
    "value.none",
    "-value.a",
    "value.a / 0",
    "value.big * 2",
    "!value.flag",
    "fn:uppercase(value.b)",
    "fn:lowercase(value.c)",
    "fn:concat(value.b, '-', fn:str(value.a))",
    "fn:coalesce(value.none, value)",
    "fn:coalesce(value.c, fn:toInt(value.b))",
    "fn:split(value.b, ',')",
]
CONDITIONS = [None, "value.a > 3", "value.b == 'x' || value.flag", "value.b.x == 1", "value.c.d != null", "value.flag"]
NAMES = st.sampled_from(["a", "b", "c", "new", "other"])
WHEN = st.sampled_from(CONDITIONS)
TYPES = st.sampled_from([None, "STRING", "INT64", "DOUBLE", "DECIMAL", "BOOLEAN"])


def step(agent: str, when: str | None, **options: Any) -> tuple[str, Mapping[str, Any]]:
    return agent, options if when is None else {"when": when, **options}


def field(name: str, expression: str, kind: str | None) -> Mapping[str, Any]:
    return {"name": f"value.{name}", "expression": expression, **({} if kind is None else {"type": kind})}


FIELDS = st.lists(
    st.builds(field, NAMES, st.sampled_from(EXPRESSIONS), TYPES), min_size=1, max_size=3, unique_by=lambda f: f["name"]
)
STEPS = st.one_of(
    st.builds(lambda when, fields: step("compute", when, fields=fields), WHEN, FIELDS),
    st.builds(
        lambda when, names: step("drop-fields", when, fields=names, part="value"), WHEN, st.lists(NAMES, max_size=3)
    ),
    st.builds(lambda when: step("drop", when), WHEN),
)
CONTENT = st.fixed_dictionaries(
    {},
    optional={
        "a": st.one_of(st.integers(-5, 10), st.floats(allow_nan=False, allow_infinity=False), st.none()),
        "b": st.sampled_from(["x", "", "5", None, 1]),
        "c": st.one_of(st.none(), st.fixed_dictionaries({"d": st.sampled_from([1, "e", None, [1]])})),
        "big": st.sampled_from([2**63 - 1, 2**70, 1.5]),
        "flag": st.sampled_from([True, False, None, "true", "no"]),
    },
)
VALUES = st.one_of(
    CONTENT.map(lambda content: dump_json(content).decode()),
    CONTENT.map(lambda content: str(content).encode()),
    CONTENT,
    st.sampled_from(["text", b'{"a": 4}', None, 5, '{"a": 4} tail', '{"big":1180591620717411303424}', "[1]"]),
    st.just(AvroValue({"type": "int"}, 1)),
)


def in_steps(processor: TransformProcessor) -> TransformProcessor:
    """The same chain without its shortcut."""
    return TransformProcessor(*[replace(step, shortcut=None) for step in processor.steps])


def described(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        return type(outcome), str(outcome)
    return [(record.value(), record.key(), record.headers(), record.origin(), record.timestamp()) for record in outcome]


def chain(make: Make, steps: Sequence[tuple[str, Mapping[str, Any]]]) -> TransformProcessor:
    first, *others = [make(agent, options) for agent, options in steps]
    for other in others:
        fused = first.fuse(other)
        assert fused is not None
        first = fused
    assert isinstance(first, TransformProcessor)
    return first


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=4), st.lists(VALUES, min_size=1, max_size=6))
def test_a_shortcut_does_what_the_steps_do(
    make: Make, steps: list[tuple[str, Mapping[str, Any]]], values: list[Any]
) -> None:
    processor = chain(make, steps)
    records = [SimpleRecord(value, "k", [("h", "1")], "topic", 7) for value in values]
    same = [SimpleRecord(value, "k", [("h", "1")], "topic", 7) for value in values]
    quick, slow = processor.process_batch(records), in_steps(processor).process_batch(same)
    assert [described(outcome) for outcome in quick] == [described(outcome) for outcome in slow]
    assert [record.value() for record in records] == values


SIMPLE = [
    step("compute", "value.a > 3", fields=[field("b", "value.a * 2", None)]),
    step("drop-fields", None, fields=["c"], part="value"),
]


def test_simple_chains_have_a_shortcut_and_others_have_none(make: Make) -> None:
    assert chain(make, SIMPLE)._shortcut is not None
    for agent, options in (
        ("compute", {"fields": [{"name": "value.b", "expression": "fn:listOf(value)"}]}),
        ("compute", {"fields": [{"name": "key", "expression": "value.a"}]}),
        ("compute", {"fields": [{"name": "value.b", "expression": "key"}]}),
        ("drop-fields", {"fields": ["a"]}),
        ("drop-fields", {"fields": ["a"], "part": "value", "when": "properties.x == '1'"}),
        ("cast", {"schema-type": "STRING"}),
        ("drop", {}),
    ):
        assert chain(make, [(agent, options)])._shortcut is None


def test_a_record_that_nothing_changed_is_the_one_that_came_parsed_once(make: Make) -> None:
    record = SimpleRecord('{"a": 1.50}')
    (outcome,) = chain(make, SIMPLE).process_batch([record])
    assert outcome == (record,)
    assert isinstance(record._value, Document)
    assert record.value() == '{"a": 1.50}'


async def test_errors_name_the_agent_and_the_field(make: Make) -> None:
    (outcome,) = chain(make, SIMPLE).process_batch([SimpleRecord('{"a": [1]}')])
    assert isinstance(outcome, Exception)
    with pytest.raises(type(outcome), match="compute"):
        raise outcome
