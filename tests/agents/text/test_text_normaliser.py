"""text-normaliser squeezes and lowers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.text.text_normaliser import TextNormaliser, TextNormaliserConfiguration, squeezed
from langstream.configuration.validation import check
from langstream.errors import RecordError
from langstream.records import SimpleRecord


def normalised(value: Any, **options: Any) -> Any:
    """The one outcome for a record with that value."""
    model, problems = check(TextNormaliserConfiguration, options, subject="agent")
    assert model is not None, problems
    [outcome] = TextNormaliser(model).process_batch([SimpleRecord(value, "kk", [("h", 1)])])
    return outcome


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("  Hello\t\tWORLD  ", "hello world"),
        ("A\n\n\nB", "a\n\nb"),
        ("A\n\n\n\nB", "a\n\n\nb"),
        ("a \n\n \n\nb", "a\n\nb"),
        ("a \n \n \nb", "a\nb"),
        ("a\n b\n  c", "a\nb\nc"),
        ("a\r\n\r\n\r\nb", "a\r\n\r\n\r\nb"),
        ("  The   BIG\t\tCity \n  sleeps.  ", "the big city\nsleeps."),
        (5, "5"),
        (b"ABC", "abc"),
        ({"a": "B"}, '{"a":"b"}'),
        ("\u00a0x\u00a0", "\u00a0x\u00a0"),
    ],
)
def test_texts(value: Any, expected: str) -> None:
    assert normalised(value) == [SimpleRecord(expected, "kk", [("h", 1)])]


def test_case_may_be_kept() -> None:
    assert normalised(" Hello\tWORLD ", **{"make-lowercase": False})[0].value() == "Hello WORLD"


def test_blanks_may_be_kept() -> None:
    assert normalised("  Hello\t\tWORLD  ", **{"trim-spaces": "false"})[0].value() == "  hello\t\tworld  "


def test_no_value_is_an_error_of_the_record() -> None:
    assert isinstance(normalised(None), RecordError)


@given(st.text(alphabet="ab \t\n"))
def test_no_tab_double_blank_or_blank_at_the_ends_is_left(text: str) -> None:
    result = squeezed(text)
    assert "\t" not in result
    assert "  " not in result
    assert result == result.strip()
    assert result.split() == text.split()
