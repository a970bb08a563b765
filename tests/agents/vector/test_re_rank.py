"""`re-rank`: the formulas, and what happens to documents that cannot be ranked."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.declaration import AGENT_TYPES
from langstream.agents.vector.ranking import Parameters, candidate, choose
from langstream.errors import RecordError
from langstream.records import SimpleRecord, parse_json

OPTIONS = {
    "algorithm": "MMR",
    "field": "value.docs",
    "output-field": "value.docs",
    "query-text": "value.q",
    "text-field": "record.text",
    "embeddings-field": "record.e",
}
DOCUMENTS = [
    {"text": "the cat sat", "e": [1, 0]},
    {"text": "the dog ran", "e": [0, 1]},
    {"text": "cat dog", "e": [0.7, 0.7]},
    {"text": "unrelated words here", "e": [-1, 0]},
]


def ranked(value: dict[str, Any], **options: Any) -> Any:
    declared = AGENT_TYPES.load("re-rank")
    agent = declared.create(declared.configuration.model_validate({**OPTIONS, **options}))
    (outcome,) = agent.process_batch([SimpleRecord(orjson.dumps(value).decode())])
    return outcome if isinstance(outcome, Exception) else parse_json(outcome[0].value())["docs"]


def order(value: dict[str, Any], **options: Any) -> list[int]:
    return [value["docs"].index(document) for document in ranked(value, **options)]


def test_relevance_alone_follows_bm25() -> None:
    assert order({"docs": DOCUMENTS, "q": "cat"}, **{"lambda": 1})[:2] == [2, 0]


def test_diversity_alone_takes_the_first_and_then_what_is_least_like_it() -> None:
    assert order({"docs": DOCUMENTS, "q": "cat"}, **{"lambda": 0}) == [0, 3, 1, 2]


def test_max_limits_the_list() -> None:
    assert len(order({"docs": DOCUMENTS, "q": "cat"}, max=2)) == 2
    assert order({"docs": DOCUMENTS, "q": "cat"}, max=0) == []


@pytest.mark.parametrize("query", ["", None])
def test_without_a_query_the_order_stays(query: str | None) -> None:
    assert order({"docs": DOCUMENTS, "q": query}) == [0, 1, 2, 3]


def test_documents_with_an_empty_text_are_left_out_and_the_right_one_is_chosen() -> None:
    value = {"docs": [{"text": "", "e": [1]}, {"text": "cat", "e": [1]}], "q": "cat"}
    assert order(value, max=1) == [1]


def test_k1_of_zero_is_no_trouble() -> None:
    assert order({"docs": DOCUMENTS, "q": "zzz"}, k1=0)[0] == 0


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"q": "x"}, "expected|list of documents, found null"),
        ({"docs": [{"text": "cat"}], "q": "x"}, "document 1 of 1 has no embeddings"),
        ({"docs": [{"e": [1]}], "q": "x"}, "document 1 of 1 has no text"),
        ({"docs": [{"text": "a", "e": [1]}, {"text": "b", "e": [1, 2]}], "q": "x"}, "different lengths"),
    ],
)
def test_what_cannot_be_ranked_fails_the_record(value: dict[str, Any], complaint: str) -> None:
    outcome = ranked(value)
    assert isinstance(outcome, RecordError)
    with pytest.raises(RecordError, match=complaint):
        raise outcome


def test_mmr_without_its_expressions_is_refused_but_none_needs_nothing() -> None:
    model = AGENT_TYPES.load("re-rank").configuration
    with pytest.raises(ValueError, match="query-text, text-field, embeddings-field"):
        model.model_validate({"algorithm": "MMR", "field": "value.d", "output-field": "value.d"})
    model.model_validate({"field": "value.d", "output-field": "value.d"})


words = st.lists(st.sampled_from(["red", "blue", "door", "garden"]), min_size=1, max_size=6).map(" ".join)
vectors = st.lists(st.integers(-5, 5), min_size=3, max_size=3)


@given(st.lists(st.tuples(words, vectors), max_size=8), words, st.floats(0, 1))
def test_every_document_is_chosen_exactly_once(documents: Any, query: str, balance: float) -> None:
    candidates = [candidate(place, text, vector) for place, (text, vector) in enumerate(documents)]
    assert sorted(choose(query, candidates, Parameters(balance=balance))) == list(range(len(documents)))


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, [2, 3, 0, 1]), ({"max": 2}, [2, 3]), ({"lambda": 1}, [2, 0, 1, 3]), ({"lambda": 0}, [0, 3, 1, 2])],
)
def test_known_rankings_come_out(options: dict[str, Any], expected: list[int]) -> None:
    assert order({"docs": DOCUMENTS, "q": "cat dog"}, **options) == expected
