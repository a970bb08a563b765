"""Every example of the page is rendered."""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import langstream.templates
from langstream.templates import TemplateError, TemplateSyntaxError, compile_template

PAGE = (Path(__file__).parents[2] / "docs" / "templates.md").read_text()
BLOCKS = re.findall(r"^```([a-z-]+)\n(.*?)\n```$", PAGE, re.DOTALL | re.MULTILINE)


def record() -> Any:
    (parts,) = [json.loads(text) for language, text in BLOCKS if language == "json"]
    return SimpleNamespace(
        value=parts["value"],
        key=parts["key"],
        properties=parts["properties"],
        topic_name=parts["topicName"],
        event_time=parts["eventTime"],
    )


def examples() -> list[tuple[str, str]]:
    return [
        (text, BLOCKS[position + 1][1]) for position, (language, text) in enumerate(BLOCKS) if language == "mustache"
    ]


@pytest.mark.parametrize(("text", "expected"), examples())
def test_an_example_renders_as_the_page_says(text: str, expected: str) -> None:
    assert compile_template(text)(record()) == expected


def mistakes(language: str) -> list[tuple[str, str]]:
    return [(text.rpartition("\n")[0], text.rpartition("\n")[2]) for name, text in BLOCKS if name == language]


@pytest.mark.parametrize(("text", "message"), mistakes("mustache-error"))
def test_an_error_reads_as_the_page_says(text: str, message: str) -> None:
    with pytest.raises(TemplateError) as failed:
        compile_template(text)(record())
    assert str(failed.value) == message


@pytest.mark.parametrize(("text", "message"), mistakes("mustache-refused"))
def test_a_refusal_reads_as_the_page_says(text: str, message: str) -> None:
    with pytest.raises(TemplateSyntaxError) as refused:
        compile_template(text)
    assert str(refused.value) == message


def test_the_examples_in_the_code_hold() -> None:
    outcome = doctest.testmod(langstream.templates)
    assert outcome.attempted > 0
    assert outcome.failed == 0
