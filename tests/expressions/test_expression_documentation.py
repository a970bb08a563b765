"""Every example of the reference is computed."""

from __future__ import annotations

import doctest
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import langstream.expressions
from langstream.expressions import (
    ExpressionError,
    ExpressionSyntaxError,
    SchemaType,
    coerce,
    compile_condition,
    compile_expression,
)
from langstream.expressions.documents import json_form, json_text
from langstream.expressions.functions import LIBRARY

PAGE = (Path(__file__).parents[2] / "docs" / "expressions.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def examples(language: str) -> list[Any]:
    lines = [line for block in blocks(language) for line in block.splitlines()]
    return [pytest.param(*re.split(r"\s+→ ", line, maxsplit=1), id=line.split("→")[0].strip()) for line in lines]


def record() -> Any:
    (page_record,) = blocks("json")
    parts = json.loads(page_record)
    return SimpleNamespace(
        value=parts["value"],
        key=parts["key"],
        properties=parts["properties"],
        topic_name=parts["topicName"],
        event_time=parts["eventTime"],
    )


def check(compute: Callable[[], Any], expected: str) -> None:
    if expected == "refused":
        with pytest.raises(ExpressionSyntaxError):
            compute()
    elif expected.startswith("error "):
        with pytest.raises(ExpressionError) as failed:
            compute()
        assert failed.value.kind == expected.removeprefix("error ")
    else:
        outcome = compute()
        assert json.loads(json_text(json_form(outcome))) == json.loads(expected)
        assert type(outcome) is not float or "." in expected


@pytest.mark.parametrize(("text", "expected"), examples("expression"))
def test_an_example_gives_what_the_page_says(text: str, expected: str) -> None:
    check(lambda: compile_expression(text)(record()), expected)


@pytest.mark.parametrize(("text", "expected"), examples("condition"))
def test_a_condition_gives_what_the_page_says(text: str, expected: str) -> None:
    check(lambda: compile_condition(text)(record()), expected)


@pytest.mark.parametrize(("text", "expected"), examples("typed"))
def test_a_declared_type_gives_what_the_page_says(text: str, expected: str) -> None:
    expression, _, target = text.rpartition(" : ")
    check(lambda: coerce(compile_expression(expression)(record()), SchemaType(target)), expected)


def test_a_refusal_reads_as_the_page_says() -> None:
    for block in blocks("refused"):
        text, _, message = block.rstrip("\n").partition("\n")
        with pytest.raises(ExpressionSyntaxError) as refused:
            compile_expression(text)
        assert str(refused.value) == message


@pytest.mark.parametrize("name", LIBRARY)
def test_every_function_is_on_the_page(name: str) -> None:
    assert f"fn:{name}(" in PAGE or name.rpartition(".")[2] in PAGE


@pytest.mark.parametrize("module", [langstream.expressions, langstream.expressions.types])
def test_the_examples_in_the_code_hold(module: ModuleType) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0
