"""Options as rows of a table."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from langstream.configuration.model import Configuration, Expression
from langstream.configuration.options import Option, options


class Inner(Configuration):
    """Nested."""

    expression: Expression


class Outer(Configuration):
    """Options of a test."""

    mode: Literal["a", "b"] = "a"
    inner_list: list[Inner] = Field(description="Things.")
    limit: int | None = None


def test_rows_have_names_types_defaults_and_descriptions() -> None:
    assert options(Outer) == [
        Option("mode", "`a`, `b`", False, '`"a"`', ""),
        Option("inner-list", "list of object", True, "", "Things."),
        Option("inner-list[].expression", "expression", True, "", ""),
        Option("limit", "integer", False, "", ""),
    ]
