"""AWS's binary frames: whole however they were cut, refused if a bit is wrong."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.services.ai.bedrock.eventstream import FrameParser, parse_headers
from langstream.services.ai.sse import Event
from tests.services.ai.bedrock.bedrock_server import event, exception, frame


def parsed(*pieces: bytes) -> list[Event]:
    parser = FrameParser()
    events = [found for piece in pieces for found in parser.feed(piece)]
    return [*events, *parser.finish()]


@given(st.lists(st.tuples(st.sampled_from(["a", "metadata"]), st.text())), st.lists(st.integers(0, 400)))
def test_frames_survive_being_cut_anywhere(contents: list[tuple[str, str]], cuts: list[int]) -> None:
    stream = b"".join(event(kind, text.encode()) for kind, text in contents)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert parsed(*pieces) == [Event(text, kind) for kind, text in contents]


@given(st.integers(0), st.integers(0, 7))
def test_no_wrong_bit_goes_unnoticed(position: int, bit: int) -> None:
    content = bytearray(event("contentBlockDelta", {"delta": {"text": "hello"}}))
    content[position % len(content)] ^= 1 << bit
    with pytest.raises(ValueError):
        parsed(bytes(content))


def test_exceptions_and_errors_are_named() -> None:
    error = frame({":message-type": "error", ":error-code": "oops", ":error-message": "sorry"}, b"")
    assert parsed(exception("throttlingException", "slow"), error) == [
        Event('{"message":"slow"}', "exception:throttlingException"),
        Event('{"message":"sorry"}', "exception:oops"),
    ]


def test_headers_of_other_types_are_passed_over() -> None:
    content = frame({"yes": True, "number": 5, ":event-type": "x", ":message-type": "event"}, b"{}")
    assert parsed(content) == [Event("{}", "x")]


def test_a_stream_cut_in_a_frame_is_noticed() -> None:
    with pytest.raises(ValueError, match="in the middle"):
        parsed(event("x", b"{}")[:-1])


@pytest.mark.parametrize("content", [b"\x01a\x63", b"\x05ab", b"\x01a\x07\x00\x09x", b"\x01a\x05\x00"])
def test_headers_that_make_no_sense_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="header"):
        parse_headers(content)
