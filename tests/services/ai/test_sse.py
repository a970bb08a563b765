"""Events come out the same however the bytes were cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.services.ai.sse import LONGEST_EVENT, Event, EventParser


def parse(*pieces: bytes) -> list[Event]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.finish()


def test_a_blank_line_ends_an_event() -> None:
    assert parse(b"data: a\n\ndata: b\n\n") == [Event("a"), Event("b")]


def test_several_data_lines_are_joined_by_newlines() -> None:
    assert parse(b"data: a\ndata: b\n\n") == [Event("a\nb")]


def test_only_one_blank_after_the_colon_is_left_out() -> None:
    assert parse(b"data:  a\n\ndata:b\n\n") == [Event(" a"), Event("b")]


def test_events_may_have_names() -> None:
    assert parse(b"event: error\ndata: {}\n\ndata: x\n\n") == [Event("{}", "error"), Event("x")]


def test_comments_and_unknown_fields_are_skipped() -> None:
    assert parse(b": keep-alive\n\nid: 7\nretry: 10\ndata: a\n\n") == [Event("a")]


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse(b"\xef\xbb\xbfdata: a\n\n") == [Event("a")]


def test_the_end_of_the_stream_ends_an_event() -> None:
    assert parse(b"data: a\n\ndata: [DONE]") == [Event("a"), Event("[DONE]")]


def test_an_event_leaves_as_soon_as_it_is_complete() -> None:
    parser = EventParser()
    assert parser.feed(b"data: a\r\n\r") == [Event("a")]
    assert parser.feed(b"\ndata: b\r") == []
    assert parser.feed(b"\n\r\n") == [Event("b")]


def test_an_endless_event_is_refused() -> None:
    parser = EventParser()
    for _ in range(16):
        parser.feed(b"x" * (LONGEST_EVENT // 16))
    with pytest.raises(ValueError, match="longer than"):
        parser.feed(b"x")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))


@given(st.lists(texts, min_size=1), st.sampled_from(["\n", "\r\n", "\r"]), st.data())
def test_any_cut_gives_the_same_events(contents: list[str], newline: str, data: st.DataObject) -> None:
    body = "".join(f"data: {text}{newline}{newline}" for text in contents).encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)))))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert parse(*pieces) == [Event(text) for text in contents]


def test_an_event_of_a_name_alone_counts_on_request() -> None:
    stream = b"data: a\n\nevent: end\n\n\n"
    assert EventParser().feed(stream) == [Event("a")]
    assert EventParser(bare_names=True).feed(stream) == [Event("a"), Event("", "end")]
