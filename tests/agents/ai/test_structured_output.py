"""`response-schema`: answers become structures, are checked, and are asked for once more where they miss the schema."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from langstream.agents.ai import chat_completions, text_completions
from langstream.agents.ai.response_schema import schema_findings
from langstream.agents.ai.structured_output import Mismatch, Structure, json_in
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.services.ai.contract import Chunk

Bench: TypeAlias = Any

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
RECORD = SimpleRecord('{"q":"who"}')
CHAT = {"model": "m", "messages": [{"role": "user", "content": "who?"}], "response-schema": PERSON}
ANN = '{"name":"Ann","age":7}'
BAD = '{"name":"Ann","age":"seven"}'


def says(*texts: str, finish: Any = "stop") -> list[Chunk]:
    *others, last = texts
    return [*(Chunk(text, "id") for text in others), Chunk(last, "id", last=True, finish=finish)]


async def outcome(bench: Bench, configuration: dict[str, Any], agent_type: Any = chat_completions.AGENT) -> Any:
    agent = await bench.start(agent_type, configuration)
    (only,) = await agent.process_batch([RECORD])
    return only


async def value(bench: Bench, **options: Any) -> Any:
    (record,) = await outcome(bench, {**CHAT, **options})
    return json.loads(record.value())


async def test_the_answer_lands_as_a_structure(bench: Bench) -> None:
    bench.service.script = [says('{"name":"Ann"', ',"age":7}')]
    assert await value(bench, **{"completion-field": "value.person"}) == {
        "q": "who",
        "person": {"name": "Ann", "age": 7},
    }
    assert bench.service.options[0].response_schema == PERSON


async def test_the_answer_may_be_the_whole_value(bench: Bench) -> None:
    bench.service.script = [says(ANN)]
    assert await value(bench) == {"name": "Ann", "age": 7}


async def test_a_structure_in_a_header_is_json(bench: Bench) -> None:
    bench.service.script = [says(ANN)]
    (record,) = await outcome(bench, {**CHAT, "completion-field": "properties.person"})
    assert record.headers() == [("person", ANN)]


async def test_the_schema_may_be_the_text_of_one(bench: Bench) -> None:
    bench.service.script = [says(ANN)]
    assert await value(bench, **{"response-schema": json.dumps(PERSON)}) == {"name": "Ann", "age": 7}


async def test_an_answer_that_misses_the_schema_is_asked_for_once_more(bench: Bench) -> None:
    bench.service.script = [says(BAD), says(ANN)]
    assert await value(bench) == {"name": "Ann", "age": 7}
    first, second = bench.service.calls
    assert second[: len(first) + 1] == [*first, ("assistant", BAD)]
    role, complaint = second[-1]
    assert role == "user"
    assert "$.age: 'seven' is not of type 'integer'" in complaint
    assert bench.metrics.values["openai_chat_completions_num_repairs"] == 1


async def test_an_answer_that_misses_it_twice_fails_the_record_clearly(bench: Bench) -> None:
    bench.service.script = [says("I'd rather not."), says(BAD)]
    failed = await outcome(bench, CHAT)
    assert isinstance(failed, RecordError)
    assert "also after it was told so: $.age: 'seven' is not of type 'integer'" in str(failed)
    assert BAD in str(failed)
    assert len(bench.service.calls) == 2


async def test_an_answer_that_was_cut_off_is_not_asked_for_again(bench: Bench) -> None:
    bench.service.script = [says('{"name":"An', finish="length")]
    failed = await outcome(bench, CHAT)
    assert isinstance(failed, RecordError)
    assert "raise `max-tokens`" in str(failed)
    assert len(bench.service.calls) == 1


async def test_texts_are_continued_with_a_structure_too(bench: Bench) -> None:
    bench.service.script = [says(BAD), says(ANN)]
    configuration = {"model": "m", "prompt": ["one", "who?"], "response-schema": PERSON}
    (record,) = await outcome(bench, configuration, text_completions.AGENT)
    assert json.loads(record.value()) == {"name": "Ann", "age": 7}
    again = bench.service.calls[1]
    assert again[0] == "one"
    assert again[1].startswith(f"who?\n\n{BAD}\n\n")


def streamed(bench: Bench) -> list[tuple[str, str, str]]:
    wanted = ("stream-id", "stream-last-message")
    return [
        (record.value(), *(dict(record.headers())[name] for name in wanted)) for record in bench.topics.sent["pieces"]
    ]


async def test_pieces_stream_as_text_and_a_second_answer_streams_under_another_id(bench: Bench) -> None:
    bench.service.script = [
        [Chunk('{"name"', "a"), Chunk(":1}", "a", last=True)],
        [Chunk(ANN, "b"), Chunk("", "b", last=True)],
    ]
    await value(bench, **{"stream-to-topic": "pieces"})
    assert streamed(bench) == [('{"name"', "a", "false"), (ANN, "b", "false"), ("", "b", "true")]


async def test_the_stream_of_an_answer_that_fails_has_no_end(bench: Bench) -> None:
    bench.service.script = [says("no"), says("no", "")]
    assert isinstance(await outcome(bench, {**CHAT, "stream-to-topic": "pieces"}), RecordError)
    assert all(last == "false" for _, _, last in streamed(bench))


@pytest.mark.parametrize(
    "text",
    [ANN, f"  {ANN}\n", f"```json\n{ANN}\n```", f"Here it is:\n{ANN}\nAnything else?", f"{{not json}} but {ANN}"],
)
def test_json_is_found_between_words_and_fences(text: str) -> None:
    assert json_in(text) == {"name": "Ann", "age": 7}


@pytest.mark.parametrize(("text", "words"), [("", "empty"), ("  ", "empty"), ("no", "not JSON"), ("{NaN", "not JSON")])
def test_what_is_not_json_is_a_mismatch(text: str, words: str) -> None:
    with pytest.raises(Mismatch, match=words):
        json_in(text)


@given(st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(), lambda inner: st.lists(inner)))
def test_every_json_value_is_read_as_it_is(content: Any) -> None:
    assert json_in(json.dumps(content)) == content


def test_nesting_without_end_is_a_mismatch_and_no_crash() -> None:
    schema = {"$defs": {"list": {"type": "array", "items": {"$ref": "#/$defs/list"}}}, "$ref": "#/$defs/list"}
    with pytest.raises(Mismatch):
        Structure(schema).read("[" * 100_000)
    with pytest.raises(Mismatch):
        Structure(schema).read("[" * 900 + "7" + "]" * 900)


def test_few_violations_are_told_each_of_them_short() -> None:
    structure = Structure({"type": "array", "items": {"type": "integer"}})
    violations = structure.violations(["x" * 1000] * 100)
    assert len(violations) == 10
    assert all(len(violation) < 300 for violation in violations)


def test_of_alternatives_the_nearest_is_told() -> None:
    structure = Structure({"anyOf": [{"type": "object", "required": ["a"]}, {"type": "integer"}]})
    (violation,) = structure.violations({})
    assert "'a' is a required property" in violation


@pytest.mark.parametrize(
    ("schema", "path", "words"),
    [
        ({"type": "objekt"}, ("type",), "at 'type'"),
        ({"properties": {"a": {"type": 7}}}, ("properties", "a", "type"), "properties.a.type"),
        ({"items": {"$ref": "#/$defs/nope"}}, ("items", "$ref"), "which is not there"),
        ({"$ref": "https://example.org/schema.json"}, ("$ref",), "which is not there"),
    ],
)
def test_a_bad_schema_is_found_at_its_place(schema: dict[str, Any], path: tuple[str, ...], words: str) -> None:
    (finding,) = schema_findings(schema, ("response-schema",))
    assert finding.path == ("response-schema", *path)
    assert words in finding.message


@pytest.mark.parametrize(
    "schema",
    [PERSON, {}, {"$defs": {"a": {"type": "string"}}, "items": {"$ref": "#/$defs/a"}}, {"enum": [{"$ref": "#/x"}]}],
)
def test_a_good_schema_has_no_findings(schema: dict[str, Any]) -> None:
    assert list(schema_findings(schema, ("response-schema",))) == []


@pytest.mark.parametrize("schema", ["{", "[]", 7])
def test_what_is_no_mapping_is_no_schema(schema: Any) -> None:
    with pytest.raises(ValidationError, match="response-schema"):
        chat_completions.AGENT.configuration.model_validate({**CHAT, "response-schema": schema})  # type: ignore[union-attr]
