"""Streams of lines are whole however their bytes were cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.services.ai import framing as framing_module
from langstream.services.ai.framing import LineParser

LINES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])))


def parsed(*pieces: bytes) -> list[str]:
    parser = LineParser()
    events = [found for piece in pieces for found in parser.feed(piece)]
    return [event.data for event in [*events, *parser.finish()]]


@given(LINES, st.lists(st.integers(0, 200)), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_lines_survive_being_cut_anywhere(lines: list[str], cuts: list[int], end: str, ended: bool) -> None:
    stream = end.join([*lines, ""] if ended else lines).encode()
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:stop] for start, stop in pairwise(places)]
    assert parsed(*pieces) == [line.strip() for line in lines if line.strip()]


def test_an_endless_line_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing_module, "LONGEST_EVENT", 10)
    parser = LineParser()
    parser.feed(b"x" * 10)
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        parser.feed(b"x")
