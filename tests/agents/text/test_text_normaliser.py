"""text-normaliser squeezes and lowers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.text.normalising import squeezed
from langstream.agents.text.text_normaliser import INLINE_CHARACTERS, TextNormaliser, TextNormaliserConfiguration
from langstream.configuration.validation import check
from langstream.records import SimpleRecord


async def normalised(value: Any, **options: Any) -> Any:
    """The one outcome for a record with that value."""
    model, problems = check(TextNormaliserConfiguration, options, subject="agent")
    assert model is not None, problems
    agent = TextNormaliser(model)
    [outcome] = await agent.process_batch([SimpleRecord(value, "kk", [("h", 1)])])
    await agent.close()
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
async def test_texts(value: Any, expected: str) -> None:
    assert await normalised(value) == [SimpleRecord(expected, "kk", [("h", 1)])]


async def test_case_may_be_kept() -> None:
    assert (await normalised(" Hello\tWORLD ", **{"make-lowercase": False}))[0].value() == "Hello WORLD"


async def test_blanks_may_be_kept() -> None:
    assert (await normalised("  Hello\t\tWORLD  ", **{"trim-spaces": "false"}))[0].value() == "  hello\t\tworld  "


async def test_a_long_text_is_normalised_by_another_process_with_the_same_result() -> None:
    text = "One \t Two\n\n\nThree \ud800 " * (INLINE_CHARACTERS // 20)
    (record,) = await normalised(text)
    assert record.value() == squeezed(text).lower()


@given(st.text(alphabet="ab \t\n"))
def test_no_tab_double_blank_or_blank_at_the_ends_is_left(text: str) -> None:
    result = squeezed(text)
    assert "\t" not in result
    assert "  " not in result
    assert result == result.strip()
    assert result.split() == text.split()
