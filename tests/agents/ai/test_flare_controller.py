"""Doubtful passages, and the way of records round the loop."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.ai.flare_controller import AGENT, FlareControllerConfiguration, create, doubtful_passages
from langstream.configuration.validation import check
from langstream.errors import RecordError
from langstream.records import Dispatched, SimpleRecord

OPTIONS = {
    "tokens-field": "value.t",
    "logprobs-field": "value.lp",
    "loop-topic": "loop",
    "retrieve-documents-field": "value.rd",
}
SURE, UNSURE = -0.1, -5.5


def outcome(record: SimpleRecord, **changed: str) -> Any:
    options = {name.replace("_", "-"): value for name, value in changed.items()}
    model, problems = check(FlareControllerConfiguration, {**OPTIONS, **options}, subject="flare")
    assert model is not None, problems
    (result,) = create(model).process_batch([record])
    return result


def record(tokens: Any, logprobs: Any, **more: Any) -> SimpleRecord:
    return SimpleRecord(json.dumps({"t": tokens, "lp": logprobs, **more}), "k", [("h", "1")], "in", 5)


def looped(source: SimpleRecord, **changed: str) -> Any:
    (again,) = outcome(source, **changed)
    assert type(again) is Dispatched
    assert again.destination == "loop"
    return json.loads(again.value())


@pytest.mark.parametrize(
    ("tokens", "logprobs", "passages"),
    [
        ("abc", [SURE] * 3, []),
        ("abcde", [SURE, UNSURE, SURE, SURE, SURE], ["bcd"]),
        (["a", "word", "c", "d", "e"], [SURE, UNSURE, SURE, SURE, SURE], ["wordcd"]),
        (["a", " don't", " know"], [SURE, UNSURE, SURE], [" don't know"]),
        (["a", "größer"], [SURE, UNSURE], ["größer"]),
        (["a", ",", " ", ""], [SURE, UNSURE, UNSURE, UNSURE], []),
        ("ab", [SURE, UNSURE], ["b"]),
        ("abcdefghijkl", [UNSURE if index in (0, 3, 8) else SURE for index in range(12)], ["abcdef", "ijk"]),
        ("abcd", [-1.61, SURE, SURE, SURE], ["abc"]),
        ("abcd", [-1.6, SURE, SURE, SURE], []),
        ("abcd", [-5, SURE, SURE, SURE], ["abc"]),
        ("abcd", [None, SURE, UNSURE, SURE], ["cd"]),
        ([], [], []),
    ],
)
def test_passages_around_words_that_the_model_was_unsure_of(
    tokens: Any, logprobs: list[float | None], passages: list[str]
) -> None:
    assert doubtful_passages(list(tokens), logprobs) == passages


def test_padding_and_gap_can_be_chosen() -> None:
    assert doubtful_passages(list("abcd"), [UNSURE, SURE, UNSURE, SURE], padding=0, gap=2) == ["a", "c"]


@given(st.lists(st.tuples(st.sampled_from(["a", " bc", ",", ""]), st.sampled_from([SURE, UNSURE, None])), max_size=40))
def test_every_doubtful_word_is_in_a_passage_and_passages_are_parts_of_the_answer(
    pairs: list[tuple[str, float | None]],
) -> None:
    tokens, logprobs = [token for token, _ in pairs], [logprob for _, logprob in pairs]
    passages = doubtful_passages(tokens, logprobs)
    rest = "".join(tokens)
    for passage in passages:
        assert passage
        assert passage in rest
    doubtful = [token for token, logprob in pairs if logprob == UNSURE and token.strip(",")]
    assert bool(passages) == bool(doubtful)
    assert sum(map(len, passages)) >= sum(map(len, doubtful))


def test_a_sure_answer_goes_on_as_it_is() -> None:
    source = record(["a", "b"], [SURE, SURE])
    (passed,) = outcome(source)
    assert passed is source


def test_a_doubtful_answer_goes_round_with_its_passages() -> None:
    source = record(list("abcde"), [SURE, UNSURE, SURE, SURE, SURE])
    before = source.value()
    (again,) = outcome(source)
    assert type(again) is Dispatched
    assert (again.key(), again.headers(), again.origin(), again.timestamp()) == ("k", [("h", "1")], "in", 5)
    assert json.loads(again.value()) == {**json.loads(before), "rd": ["bcd"], "flare_iterations": 1}
    assert source.value() == before


def test_a_record_that_is_no_text_goes_round_as_an_object() -> None:
    source = SimpleRecord({"t": ["a"], "lp": [UNSURE]})
    (again,) = outcome(source)
    assert again.value() == {"t": ["a"], "lp": [UNSURE], "rd": ["a"], "flare_iterations": 1}
    assert source.value() == {"t": ["a"], "lp": [UNSURE]}


@pytest.mark.parametrize(("rounds", "counted"), [(None, 1), (0, 1), (3, 4), ("7", 8), (10, 11)])
def test_the_rounds_are_counted(rounds: Any, counted: int) -> None:
    assert looped(record(["a"], [UNSURE], flare_iterations=rounds))["flare_iterations"] == counted


def test_the_loop_ends() -> None:
    source = record(["a"], [UNSURE])
    rounds = 0
    while type(following := outcome(source)[0]) is Dispatched:
        source = SimpleRecord(following.value())
        rounds += 1
        assert rounds < 100
    assert rounds == 11
    assert following is source


def test_the_passages_may_go_to_a_header() -> None:
    (again,) = outcome(record(["a"], [UNSURE]), retrieve_documents_field="properties.queries")
    assert again.headers() == [("h", "1"), ("queries", '["a"]')]
    assert json.loads(again.value())["flare_iterations"] == 1


@pytest.mark.parametrize(
    ("tokens", "logprobs", "told"),
    [
        (None, [UNSURE], "tokens-field must give a list, not null"),
        (["a"], None, "logprobs-field must give a list, not null"),
        ("a", [UNSURE], "tokens-field must give a list, not text"),
        (["a", "b"], [UNSURE], "2 tokens, but 1 log probabilities"),
        (["a"], ["-5"], "item 1 must be a number, not text"),
        (["a"], [True], "item 1 must be a number, not a boolean"),
        ([7], [UNSURE], "a token must be text, not a number"),
        ([None], [UNSURE], "a token must be text, not null"),
    ],
)
def test_what_is_no_answer_with_probabilities_fails_its_record(tokens: Any, logprobs: Any, told: str) -> None:
    failed = outcome(record(tokens, logprobs))
    assert isinstance(failed, RecordError)
    assert told in str(failed)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (SimpleRecord("text"), "value.t"),
        (record(["a"], [UNSURE], flare_iterations="many"), "value.flare_iterations"),
    ],
)
def test_a_record_of_another_form_fails(source: SimpleRecord, told: str) -> None:
    failed = outcome(source)
    assert isinstance(failed, RecordError)
    assert told in str(failed)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"min-prob": 0.5}, "min-prob"),
        ({"retrieve-documents-field": "loop"}, "'loop' is not a place"),
        ({"retrieve-documents-field": "value"}, "use a member"),
        ({"tokens-field": "value."}, "not a valid expression"),
        ({"loop-topic": None}, "loop-topic"),
    ],
)
def test_options_that_are_refused(options: dict[str, Any], told: str) -> None:
    _, problems = check(FlareControllerConfiguration, {**OPTIONS, **options}, subject="flare")
    assert told in "\n".join(map(str, problems))


def test_the_reference_tells_the_numbers() -> None:
    assert "below 0.2" in AGENT.description
    assert "after 11 of them" in AGENT.description
