"""`compute-ai-embeddings`, fact by fact: fields, loops, batches, and who fails with whom."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pytest
from pydantic import ValidationError

from langstream.agents.ai.embeddings import AGENT
from langstream.errors import RecordError, ServiceError
from langstream.records import SimpleRecord
from langstream.sdk.contract import Batching
from langstream.templates import TemplateError

Bench: TypeAlias = Any

E1 = SimpleRecord('{"q":"hi","l":[{"t":"x"},{"t":"yy"}],"e":[],"s":[1,2]}', "k1")
C2 = SimpleRecord("text", "k", [("p", "1")])
LOOP = {"model": "m", "text": "{{ record.t }}", "embeddings-field": "record.emb", "loop-over": "value.l"}


def plain(text: str = "x", field: str = "value.emb", **more: Any) -> dict[str, Any]:
    return {"model": "m", "text": text, "embeddings-field": field, **more}


async def outcomes(bench: Bench, configuration: dict[str, Any], *records: SimpleRecord) -> Any:
    agent = await bench.start(AGENT, configuration)
    return await agent.process_batch(records)


async def result(bench: Bench, configuration: dict[str, Any], record: SimpleRecord = E1) -> SimpleRecord:
    ((only,),) = await outcomes(bench, configuration, record)
    assert isinstance(only, SimpleRecord)
    return only


async def failure(bench: Bench, configuration: dict[str, Any], record: SimpleRecord = E1) -> Exception:
    (error,) = await outcomes(bench, configuration, record)
    assert isinstance(error, Exception)
    return error


async def test_the_vector_goes_to_its_field(bench: Bench) -> None:
    found = await result(bench, plain("{{ value.q }}"))
    assert json.loads(found.value()) == {**json.loads(E1.value()), "emb": [2.0, 1.0]}
    assert bench.service.calls == [["hi"]]


async def test_the_vector_replaces_the_value(bench: Bench) -> None:
    found = await result(bench, plain("{{ value }}", "value"), C2)
    assert found.value() == [4.0, 1.0]
    assert (found.key(), found.headers()) == ("k", [("p", "1")])


async def test_the_vector_goes_to_a_header_as_json(bench: Bench) -> None:
    assert ("emb", "[1.0,1.0]") in (await result(bench, plain(field="properties.emb"))).headers()


async def test_the_vector_goes_to_the_key(bench: Bench) -> None:
    found = await result(bench, plain(field="key.emb"), SimpleRecord("v", '{"a":1}'))
    assert (found.key(), found.value()) == ('{"a":1,"emb":[1.0,1.0]}', "v")


async def test_text_has_no_fields(bench: Bench) -> None:
    assert isinstance(await failure(bench, plain("{{ value }}"), C2), RecordError)


async def test_a_native_map_is_seen_like_parsed_json(bench: Bench) -> None:
    assert (await result(bench, plain(), SimpleRecord({"q": 1}))).value() == {"q": 1, "emb": [1.0, 1.0]}


async def test_the_first_spelling_of_templates_still_works(bench: Bench) -> None:
    await result(bench, plain("{{% value.q }}"))
    assert bench.service.calls == [["hi"]]


async def test_a_missing_variable_fails_the_record(bench: Bench) -> None:
    assert isinstance(await failure(bench, plain("{{ value.zz }}")), TemplateError)
    assert bench.service.calls == []


@pytest.mark.parametrize("options", [plain(), plain("{{ key.a }}", field="value"), LOOP])
async def test_deletions_can_be_let_pass(bench: Bench, options: dict[str, Any]) -> None:
    deletion = SimpleRecord(None, '{"a":"text"}')
    assert await result(bench, {**options, "pass-deletions": True}, deletion) is deletion
    assert bench.service.calls == []


async def test_a_record_without_value_may_have_a_vector_elsewhere(bench: Bench) -> None:
    found = await result(bench, plain("{{ key.a }}", field="key.emb"), SimpleRecord(None, '{"a":"hi"}'))
    assert (found.key(), found.value()) == ('{"a":"hi","emb":[2.0,1.0]}', None)
    assert isinstance(
        await failure(bench, plain("{{ value.q }}", field="key.emb"), SimpleRecord(None, '{"a":"hi"}')), TemplateError
    )


async def test_each_item_of_a_list_gets_its_vector(bench: Bench) -> None:
    found = json.loads((await result(bench, LOOP)).value())
    assert found["l"] == [{"t": "x", "emb": [1.0, 1.0]}, {"t": "yy", "emb": [2.0, 1.0]}]
    assert bench.service.calls == [["x", "yy"]]


@pytest.mark.parametrize("over", ["value.e", "value.zz"])
async def test_an_empty_or_missing_list_leaves_the_record_unchanged(bench: Bench, over: str) -> None:
    assert await result(bench, {**LOOP, "loop-over": over}) is E1
    assert bench.service.calls == []


async def test_items_must_be_objects(bench: Bench) -> None:
    error = await failure(bench, {**LOOP, "text": "{{ record }}", "loop-over": "value.s"})
    assert isinstance(error, RecordError)
    assert "item 0 of value.s is not an object" in str(error)


async def test_what_is_looped_over_must_be_a_list(bench: Bench) -> None:
    assert "not a list" in str(await failure(bench, {**LOOP, "loop-over": "value.q"}))


async def test_an_item_may_have_members_that_are_null(bench: Bench) -> None:
    found = await result(bench, LOOP, SimpleRecord('{"l":[{"t":"x","n":null}]}'))
    assert json.loads(found.value()) == {"l": [{"t": "x", "n": None, "emb": [1.0, 1.0]}]}


async def test_in_a_loop_the_template_sees_the_item_only(bench: Bench) -> None:
    error = await failure(bench, {**LOOP, "text": "{{ record.t }} {{ value.q }}"})
    assert isinstance(error, TemplateError)


async def test_the_list_may_be_in_the_key(bench: Bench) -> None:
    found = await result(bench, {**LOOP, "loop-over": "key.l"}, SimpleRecord("v", '{"l":[{"t":"x"}]}'))
    assert json.loads(found.key()) == {"l": [{"t": "x", "emb": [1.0, 1.0]}]}


async def test_records_for_which_the_condition_is_false_pass(bench: Bench) -> None:
    assert await result(bench, plain(when="value.q == 'no'")) is E1
    assert bench.service.calls == []


async def test_a_batch_is_one_request_and_a_bad_template_fails_its_record_only(bench: Bench) -> None:
    records = [SimpleRecord('{"t":"aa"}'), SimpleRecord('{"u":1}'), SimpleRecord('{"t":"bbb"}')]
    first, second, third = await outcomes(bench, plain("{{ value.t }}"), *records)
    assert json.loads(first[0].value())["emb"] == [2.0, 1.0]
    assert isinstance(second, TemplateError)
    assert json.loads(third[0].value())["emb"] == [3.0, 1.0]
    assert bench.service.calls == [["aa", "bbb"]]


async def test_all_items_of_a_record_go_in_one_request(bench: Bench) -> None:
    record = SimpleRecord(json.dumps({"l": [{"t": str(number)} for number in range(25)]}))
    await result(bench, LOOP, record)
    assert [len(texts) for texts in bench.service.calls] == [25]


async def test_a_text_that_is_refused_fails_its_record_only(bench: Bench) -> None:
    bench.service.refuse = lambda text: ServiceError("bad text", category="refused") if text == "bad" else None
    records = [SimpleRecord(json.dumps({"t": text})) for text in ("aa", "bad", "c")]
    first, second, third = await outcomes(bench, plain("{{ value.t }}"), *records)
    assert isinstance(second, ServiceError)
    assert [json.loads(item[0].value())["emb"] for item in (first, third)] == [[2.0, 1.0], [1.0, 1.0]]
    assert bench.service.calls == [["aa", "bad", "c"], ["aa"], ["bad"], ["c"]]


async def test_a_service_that_is_down_fails_the_batch_without_further_requests(bench: Bench) -> None:
    bench.service.refuse = lambda text: ServiceError("down")
    failed = await outcomes(bench, plain("{{ value.q }}"), E1, E1)
    assert all(isinstance(error, ServiceError) for error in failed)
    assert len(bench.service.calls) == 1


async def test_the_default_model_is_that_of_the_service(bench: Bench) -> None:
    await result(bench, {"text": "x", "embeddings-field": "value.e"})
    assert bench.service.models == ["text-embedding-ada-002"]


async def test_requests_texts_and_tokens_are_counted(bench: Bench) -> None:
    await outcomes(bench, plain("{{ value.q }}"), E1, E1)
    assert bench.metrics.values == {
        "openai_embeddings_num_calls": 1,
        "openai_embeddings_num_texts": 2,
        "openai_embeddings_prompt_tokens": 2,
        "openai_embeddings_total_tokens": 2,
    }


async def test_options_of_hugging_face_are_handed_on(bench: Bench) -> None:
    await result(bench, plain(options={"wait": "true"}, **{"model-url": "u"}))
    assert bench.service.options == [{"options": {"wait": "true"}, "model-url": "u"}]


@pytest.mark.parametrize(
    ("options", "batching"),
    [
        ({}, Batching(1, 0, 4, "emission")),
        ({"batch-size": 10, "flush-interval": 0}, Batching(1, 0, 4, "emission")),
        ({"batch-size": 3, "flush-interval": 1500, "concurrency": 1}, Batching(3, 1.5, 1, "emission")),
        ({"batch-size": "2", "flush-interval": "500", "concurrency": 0}, Batching(2, 0.5, 1, "emission")),
        ({"concurrency": -3}, Batching(1, 0, 1, "emission")),
    ],
)
def test_the_runtime_is_told_how_to_batch(options: dict[str, Any], batching: Batching) -> None:
    agent: Any = AGENT.create(AGENT.configuration.model_validate(plain(**options)))  # type: ignore[union-attr]
    assert agent.batching == batching


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"text": None}, "text"),
        ({"embeddings-field": None}, "embeddings-field"),
        ({"embeddings-field": "record.emb"}, "not a place for a result"),
        ({"embeddings-field": "value.emb", "loop-over": "value.l"}, "must be record.NAME"),
        ({"embeddings-field": "record.a.b", "loop-over": "value.l"}, "must be record.NAME"),
        ({"embeddings-field": "record.a", "loop-over": "fn:listOf(1)"}, "'loop-over' must be value.NAME"),
        ({"embeddings-field": "record.a", "loop-over": "value.a.b"}, "'loop-over' must be value.NAME"),
        ({"batch-size": 0}, "batch-size"),
        ({"flush-interval": -1}, "flush-interval"),
        ({"batch-sise": 1}, "batch-sise"),
    ],
)
def test_bad_options_are_refused(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        AGENT.configuration.model_validate({**plain(), **changed})  # type: ignore[union-attr]
