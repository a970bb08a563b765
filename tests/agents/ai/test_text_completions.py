"""`ai-text-completions`, fact by fact."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import pytest
from pydantic import ValidationError

from langstream.agents.ai.text_completions import AGENT
from langstream.records import SimpleRecord
from langstream.services.ai.contract import Chunk
from langstream.templates import TemplateError

Bench: TypeAlias = Any

Q1 = SimpleRecord('{"q":"the car","n":1}', "k1", [("sid", "9")])


async def outcome(bench: Bench, **options: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    agent = await bench.start(AGENT, {"model": "m", "prompt": ["x"], "completion-field": "value.answer", **named})
    (only,) = await agent.process_batch([Q1])
    return only


async def value(bench: Bench, **options: Any) -> dict[str, Any]:
    (record,) = await outcome(bench, **options)
    parsed: dict[str, Any] = json.loads(record.value())
    return parsed


async def test_all_prompts_are_sent_together(bench: Bench) -> None:
    found = await value(bench, prompt=["A {{ value.q }}", "B"])
    assert found["answer"] == "echo([A the car, B])"
    assert bench.service.calls == [["A the car", "B"]]


async def test_tokens_and_log_probabilities_go_to_their_field(bench: Bench) -> None:
    found = await value(bench, logprobs="5", logprobs_field="value.lp")
    assert found["lp"] == {"tokens": ["a", "b"], "logprobs": [-0.1, -2.0]}
    assert bench.service.options[0].logprobs == 5


async def test_without_log_probabilities_the_lists_are_empty(bench: Bench) -> None:
    assert (await value(bench, logprobs_field="value.lp"))["lp"] == {"tokens": [], "logprobs": []}


async def test_log_probabilities_in_a_header_are_json(bench: Bench) -> None:
    (record,) = await outcome(bench, completion_field="value", logprobs=1, logprobs_field="properties.lp")
    assert record.value() == "echo([x])"
    assert ("lp", '{"tokens":["a","b"],"logprobs":[-0.1,-2.0]}') in record.headers()


async def test_log_probabilities_of_streamed_pieces_are_put_together(bench: Bench) -> None:
    bench.service.script = [
        [Chunk("a", "i", False, ("a",), (-0.5,)), Chunk("b", "i", False, ("b",), (-1.0,)), Chunk("", "i", last=True)]
    ]
    assert (await value(bench, logprobs_field="value.lp"))["lp"] == {"tokens": ["a", "b"], "logprobs": [-0.5, -1.0]}


async def test_the_first_spelling_of_templates_is_not_known_here(bench: Bench) -> None:
    try:
        failed = await outcome(bench, prompt=["{{% value.q }}"])
    except ValidationError:
        return  # refused when the application is planned is as good
    assert isinstance(failed, TemplateError)


async def test_the_log_holds_the_prompts_and_log_probabilities_as_a_double(bench: Bench) -> None:
    found = json.loads((await value(bench, prompt=["A {{ value.q }}"], logprobs=5, log_field="value.log"))["log"])
    assert list(found) == ["options", "messages", "model"]
    assert found["messages"] == ["A the car"]
    assert list(found["options"]) == [
        "type", "when", "model", "prompt", "stream-to-topic", "stream-response-completion-field",
        "min-chunks-per-message", "completion-field", "stream", "log-field", "logprobs-field", "logprobs", "max-tokens",
        "temperature", "top-p", "logit-bias", "user", "stop", "presence-penalty", "frequency-penalty", "options",
    ]  # fmt: skip
    assert found["options"]["prompt"] == ["A {{ value.q }}"]
    assert str(found["options"]["logprobs"]) == "5.0"


async def test_completion_tokens_have_a_counter_of_their_own(bench: Bench) -> None:
    from langstream.services.ai.contract import Usage

    bench.service.script = [[Chunk("a", "i", last=True, usage=Usage(7, 4))]]
    await value(bench)
    assert bench.metrics.values == {
        "openai_text_completions_num_calls": 1,
        "openai_text_completions_prompt_tokens": 7,
        "openai_text_completions_completions_tokens": 4,
        "openai_text_completions_total_tokens": 11,
    }


@pytest.mark.parametrize("prompt", [None, [["nested"]], {"a": "b"}])
def test_the_prompt_must_be_texts(prompt: Any) -> None:
    with pytest.raises(ValidationError, match="prompt"):
        AGENT.configuration.model_validate({"model": "m", "prompt": prompt})  # type: ignore[union-attr]
