"""text-splitter cuts as the recursive character splitter does, and counts as the tokenizers do."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.text import text_splitter
from langstream.agents.text.splitting import Splitter, splitter_of
from langstream.agents.text.text_splitter import (
    INLINE_CHARACTERS,
    THREAD_CHARACTERS,
    TextSplitter,
    TextSplitterConfiguration,
)
from langstream.agents.text.token_counts import length_function, remembered, utf16_length
from langstream.configuration.validation import check
from langstream.errors import RecordError
from langstream.records import Document, SimpleRecord
from langstream.sdk.contract import AgentContext

PARAGRAPHS = "para one\n\npara two\n\npara three"


async def started(**options: Any) -> TextSplitter:
    """A started splitter; lengths are characters unless told otherwise."""
    model, problems = check(TextSplitterConfiguration, {"length_function": "length", **options}, subject="agent")
    assert model is not None, problems
    agent = TextSplitter(model)
    await agent.start(AgentContext("a", "app"))
    return agent


async def chunks(value: Any, **options: Any) -> list[Any]:
    """The records made of one value."""
    agent = await started(**options)
    [outcome] = await agent.process_batch([SimpleRecord(value, "k")])
    assert not isinstance(outcome, Exception), outcome
    return list(outcome)


@pytest.mark.parametrize(
    ("size", "overlap", "text", "expected"),
    [
        (200, 100, "", []),
        (200, 100, " \n ", []),
        (4, 2, "abcdefghij", ["abcd", "cdef", "efgh", "ghij"]),
        (4, 0, "abcdefghij", ["abcd", "efgh", "ij"]),
        (4, 0, "aaaa bbbb", ["aaaa", "bbbb"]),
        (4, 1, "a\n\nb\n\nc", ["a\n\nb", "b\n\nc"]),
        (10, 0, PARAGRAPHS, ["para one", "para two", "para three"]),
        (30, 0, PARAGRAPHS, [PARAGRAPHS]),
        (5, 5, "aa bb cc dd", ["aa bb", "bb cc", "cc dd"]),
        (5, 2, "aa bb cc dd", ["aa bb", "bb cc", "cc dd"]),
        (6, 0, "a\nb\n\nc d", ["a\nb", "c d"]),
        (0, 0, "ab", ["a", "b"]),
        (3, 0, "Hi there", ["Hi", "the", "re"]),
        (2, 0, "😀😀", ["😀", "😀"]),
        (10, 2, 5, ["5"]),
        (15, 5, "Quick brown. Foxes leap over logs", ["Quick brown.", "Foxes leap over", "over logs"]),
        (20, 8, "one two three four five six seven", ["one two three four", "four five six seven"]),
    ],
)
async def test_default_separators(size: int, overlap: int, text: Any, expected: list[str]) -> None:
    found = await chunks(text, chunk_size=size, chunk_overlap=overlap)
    assert [record.value() for record in found] == expected


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ({"separators": ["."], "chunk_size": 2}, "a.b.c", []),
        ({"separators": ["\\."], "chunk_size": 2}, "a.b.c", ["a", "b", "c"]),
        ({"separators": ["\\n"], "chunk_size": 3}, "a\nb\nc", ["a\nb", "c"]),
        ({"separators": ["\n"], "chunk_size": 2}, "xxxx", ["xxxx"]),
        ({"separators": ["\n"], "chunk_size": 4}, "   a   \nb", ["   a   ", "b"]),
        ({"separators": [""], "chunk_size": 4}, "a b c d e f", ["a b", "c d", "e f"]),
        ({"separators": ["[;:]"], "chunk_size": 8}, "alpha;beta:gamma", ["alpha", "beta", "gamma"]),
        ({"separators": ["(?=[A-Z])"], "chunk_size": 8}, "OneTwoThreeFour", ["OneTwo", "Three", "Four"]),
        ({"separators": ["\\p{Lu}"], "chunk_size": 3}, "aÉbÈc", ["aÉb", "c"]),
        ({"separators": ["#"], "keep_separator": True, "chunk_size": 6}, "aaaa#bbbb#cccc", ["aaaa", "#bbbb", "#cccc"]),
        ({"keep_separator": True, "chunk_size": 10}, PARAGRAPHS, ["para one", "para two", "para", "three"]),
        ({"keep_separator": "true", "chunk_size": 10}, "a\n\nb\n\nc", ["a\n\nb\n\nc"]),
        (
            {"separators": ["\\d+"], "keep_separator": True, "chunk_size": 15, "chunk_overlap": 5},
            "Quick1brown.2Foxes3leap4over5logs6now",
            ["Quick1brown.", "2Foxes3leap", "3leap4over5logs", "5logs6now"],
        ),
    ],
)
async def test_separators_of_ones_own(options: dict[str, Any], text: str, expected: list[str]) -> None:
    found = await chunks(text, **{"chunk_overlap": 0, **options})
    assert [record.value() for record in found] == expected


async def test_the_text_that_a_regular_expression_matched_joins_the_pieces_again() -> None:
    found = await chunks("ab1cd22ef", separators=["\\d+"], chunk_size=20, chunk_overlap=0)
    assert [record.value() for record in found] == ["ab1cd22ef"]


@pytest.mark.parametrize(
    ("size", "overlap", "text", "expected"),
    [
        (
            3,
            1,
            "one two three four five six",
            [("one two", 2), ("two three", 2), ("three four", 2), ("four five", 2), ("five six", 2)],
        ),
        (
            10,
            2,
            "Streaming agents, we want to check how chunks share a few words",
            [("Streaming agents, we want to", 6), ("to check how chunks share", 5), ("share a few words", 4)],
        ),
        (5, 0, "tiny piece of prose. stop", [("tiny piece of", 3), ("prose. stop", 4)]),
        (3, 0, "Hi there", [("Hi there", 2)]),
        (
            6,
            0,
            "red blue green black white brown pink gray",
            [("red blue green", 3), ("black white brown", 3), ("pink gray", 2)],
        ),
    ],
)
async def test_lengths_in_tokens_by_default(size: int, overlap: int, text: str, expected: Sequence[Any]) -> None:
    found = await chunks(text, chunk_size=size, chunk_overlap=overlap, length_function="cl100k_base")
    assert [(record.value(), int(dict(record.headers())["chunk_num_tokens"])) for record in found] == expected


async def test_default_options_on_a_long_text() -> None:
    found = await chunks("x " * 400, length_function="cl100k_base")
    assert [(len(record.value()), dict(record.headers())["chunk_num_tokens"]) for record in found] == [(199, "100")] * 7


async def test_chunks_keep_the_key_and_headers_and_replace_those_of_their_own() -> None:
    agent = await started(chunk_size=3, chunk_overlap=0)
    record = SimpleRecord("ab cd", "k", [("chunk_id", "9"), ("h", 1), ("h", b"2")], "origin", 7)
    [outcome] = await agent.process_batch([record])
    assert not isinstance(outcome, Exception)
    first, second = outcome
    assert (first.key(), first.origin(), first.timestamp()) == ("k", "origin", 7)
    assert second.headers() == [
        ("h", 1),
        ("h", b"2"),
        ("chunk_id", "1"),
        ("chunk_text_length", "2"),
        ("chunk_num_tokens", "2"),
        ("text_num_chunks", "2"),
    ]


@pytest.mark.parametrize("value", [b"ab", "ab", {"a": 1}, Document({"a": 1}), True, 7])
async def test_values_of_every_kind_are_taken_as_text(value: Any) -> None:
    expected = {"bytes": "ab", "str": "ab", "bool": "true", "int": "7"}.get(type(value).__name__, '{"a":1}')
    assert [record.value() for record in await chunks(value, chunk_size=50, chunk_overlap=0)] == [expected]


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t \n"])
async def test_empty_and_blank_texts_have_no_chunks(text: str, keep: bool) -> None:
    assert await chunks(text, keep_separator=keep) == []


async def test_a_large_text_is_split_off_the_loop_with_the_same_result() -> None:
    word = "word "
    large = word * (INLINE_CHARACTERS // len(word) + 10)
    agent = await started(chunk_size=1000, chunk_overlap=0)
    [outcome, small] = await agent.process_batch([SimpleRecord(large), SimpleRecord("small")])
    assert not isinstance(outcome, Exception)
    assert " ".join(record.value() for record in outcome) == large.strip()
    assert small == [SimpleRecord("small").with_headers(small[0].headers())]  # type: ignore[index]


@pytest.mark.parametrize("function", ["length", "cl100k_base"])
async def test_a_long_text_is_split_by_another_process_with_the_same_result(function: str) -> None:
    text = "One sentence after another, \ud83d and then\n\nparagraphs 😀 too. " * (THREAD_CHARACTERS // 50)
    assert len(text) > THREAD_CHARACTERS
    agent = await started(length_function=function, chunk_size=50, chunk_overlap=10)
    [outcome, small] = await agent.process_batch([SimpleRecord(text), SimpleRecord("small")])
    await agent.close()
    expected = splitter_of(("\n\n", "\n", " ", ""), 50, 10, False, function).split(text)
    assert [record.value() for record in outcome] == [chunk.text for chunk in expected]  # type: ignore[union-attr]
    lengths = [dict(record.headers())["chunk_num_tokens"] for record in outcome]  # type: ignore[union-attr]
    assert lengths == [str(chunk.length) for chunk in expected]
    assert [record.value() for record in small] == ["small"]  # type: ignore[union-attr]


async def test_the_event_loop_goes_on_while_the_records_of_a_long_text_are_made() -> None:
    agent = await started(chunk_size=20, chunk_overlap=0)
    beats = 0

    async def heartbeat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    text = "one two three four five " * (THREAD_CHARACTERS // 10)
    heart = asyncio.create_task(heartbeat())
    [outcome] = await agent.process_batch([SimpleRecord(text)])
    heart.cancel()
    await agent.close()
    assert not isinstance(outcome, Exception)
    assert beats > len(outcome) // text_splitter.CHUNKS_AT_ONCE > 10


async def test_a_gigantic_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_splitter, "MAX_CHARACTERS", THREAD_CHARACTERS)
    agent = await started()
    [outcome] = await agent.process_batch([SimpleRecord("x" * (THREAD_CHARACTERS + 1))])
    assert "at most 200,000 are split" in str(outcome)


async def test_an_expression_without_end_is_a_failure_of_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langstream.agents.text.splitting.MATCH_SECONDS", 0.05)
    agent = await started(separators=["(a|aa)+$"], chunk_size=5, chunk_overlap=0)
    [outcome] = await agent.process_batch([SimpleRecord("a" * 60 + "b")])
    assert isinstance(outcome, RecordError)
    assert "Simplify the expression" in str(outcome)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"chunk_size": 3}, "chunk_overlap (100, the default) is greater than chunk_size (3)"),
        ({"chunk_size": 2, "chunk_overlap": 3}, "chunk_overlap (3) is greater than chunk_size (2)"),
        ({"length_function": "nope"}, "length_function"),
        ({"splitter_type": "X"}, "splitter_type"),
        ({"separators": []}, "separators"),
        ({"separators": ["("]}, "the separator '(' is not a valid regular expression"),
        ({"chunk_size": "many"}, "chunk_size"),
        ({"chunk_size": -1}, "chunk_size"),
        ({"chunk_sise": 5}, "Did you mean 'chunk_size'?"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], complaint: str) -> None:
    model, problems = check(TextSplitterConfiguration, options, subject="agent")
    assert model is None
    assert complaint in "\n".join(map(str, problems))


def test_numbers_may_be_text() -> None:
    model, _ = check(TextSplitterConfiguration, {"chunk_size": "10", "chunk_overlap": "2"}, subject="agent")
    assert model is not None
    assert (model.chunk_size, model.chunk_overlap) == (10, 2)


# --- laws -----------------------------------------------------------------------------------------------------------

TEXTS = st.text(alphabet="ab \n.😀é", max_size=80)


def reference(
    text: str,
    separators: Sequence[str],
    size: int,
    overlap: int,
    keep: bool = False,
    length: Callable[[str], int] = utf16_length,
) -> list[str]:
    """The rules written down plainly, for plain separators."""
    separator, finer = separators[-1], []
    for index, candidate in enumerate(separators):
        if candidate == "":
            separator = ""
            break
        if candidate in text:
            separator, finer = candidate, list(separators[index + 1 :])
            break
    pieces = list(text) if separator == "" else text.split(separator)
    if keep and pieces:
        pieces = [pieces[0], *(separator + piece for piece in pieces[1:])]
    joiner = "" if keep else separator
    found: list[str] = []
    collected: list[str] = []

    def merge() -> None:
        gap, total = length(joiner), 0
        current: deque[str] = deque()
        for piece in collected:
            own = length(piece)
            if current and total + own + gap > size:
                found.append(joiner.join(current).strip())
                while current and (total > overlap or (total > 0 and total + own + gap > size)):
                    total -= length(current.popleft()) + (gap if current else 0)
            total += own + (gap if current else 0)
            current.append(piece)
        if current:
            found.append(joiner.join(current).strip())
        collected.clear()

    for piece in filter(None, pieces):
        if length(piece) < size:
            collected.append(piece)
        else:
            merge()
            found += reference(piece, finer, size, overlap, keep, length) if finer else [piece]
    merge()
    return [chunk for chunk in found if chunk.strip()]


def splitter(
    size: int, overlap: int, separators: Sequence[str] = ("\n\n", "\n", " ", ""), keep: bool = False
) -> Splitter:
    """A splitter that counts characters."""
    return Splitter(separators, chunk_size=size, chunk_overlap=overlap, keep_separator=keep, length=utf16_length)


SEPARATORS = st.sampled_from([("\n\n", "\n", " ", ""), (" ",), ("\n", "a"), ("",), (" a", "b", "")])


@given(TEXTS, st.integers(1, 20), st.integers(0, 20), SEPARATORS, st.booleans())
def test_it_does_what_the_rules_say(
    text: str, size: int, overlap: int, separators: tuple[str, ...], keep: bool
) -> None:
    overlap = min(overlap, size)
    found = [chunk.text for chunk in splitter(size, overlap, separators, keep).split(text)]
    assert found == reference(text, separators, size, overlap, keep)


@given(st.text(alphabet="ab \n.é", max_size=200), st.integers(1, 12), st.integers(0, 12), st.booleans())
def test_it_does_what_the_rules_say_of_tokens(text: str, size: int, overlap: int, keep: bool) -> None:
    overlap = min(overlap, size)
    count = length_function("cl100k_base")
    separators = ("\n\n", "\n", ". ", " ", "")
    ours = Splitter(
        [re.escape(separator) for separator in separators],
        chunk_size=size,
        chunk_overlap=overlap,
        keep_separator=keep,
        length=count,
    )
    found = ours.split(text)
    assert [chunk.text for chunk in found] == reference(text, separators, size, overlap, keep, count)
    assert [chunk.length for chunk in found] == [count(chunk.text) for chunk in found]


@given(TEXTS, st.integers(2, 20))
def test_no_chunk_is_longer_than_asked_for_and_every_word_is_in_one(text: str, size: int) -> None:
    found = splitter(size, 0).split(text)
    assert all(chunk.length == utf16_length(chunk.text) <= size for chunk in found)
    assert "".join("".join(chunk.text.split()) for chunk in found) == "".join(text.split())


@given(st.text(max_size=60))
def test_utf16_units_are_counted(text: str) -> None:
    assert utf16_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_a_remembered_count_is_the_count() -> None:
    calls: list[str] = []

    def count(text: str) -> int:
        calls.append(text)
        return len(text)

    counted = remembered(count)
    assert [counted("abc"), counted("abc"), counted("x" * 100), counted("x" * 100)] == [3, 3, 100, 100]
    assert calls == ["abc", "x" * 100, "x" * 100]


@pytest.mark.parametrize(
    ("name", "text", "tokens"),
    [
        ("cl100k_base", "hello world", 2),
        ("cl100k_base", "", 0),
        ("cl100k_base", "<|endoftext|>", 7),
        ("cl100k_base", "a\ud800", 2),
        ("o200k_base", "hello world", 2),
        ("length", "h😀", 3),
    ],
)
def test_vocabularies_work_offline(name: str, text: str, tokens: int) -> None:
    assert length_function(name)(text) == tokens
