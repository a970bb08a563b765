"""Options as rows of a table."""

from __future__ import annotations

from typing import Annotated, Literal

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


class Cat(Configuration):
    """One kind of item."""

    type: Literal["cat"]
    lives: int = 9


class Dog(Configuration):
    """Another kind of item."""

    type: Literal["dog"]
    name: str


class Zoo(Configuration):
    """Items whose type decides on their options."""

    animals: list[Annotated[Cat | Dog, Field(discriminator="type")]] = Field([], description="Who lives there.")


def test_items_of_several_types_have_their_options_under_the_type() -> None:
    assert options(Zoo) == [
        Option("animals", "list of object", False, "`[]`", "Who lives there."),
        Option("animals[cat].type", "`cat`", True, "", ""),
        Option("animals[cat].lives", "integer", False, "`9`", ""),
        Option("animals[dog].type", "`dog`", True, "", ""),
        Option("animals[dog].name", "text", True, "", ""),
    ]


class Sizes(Configuration):
    """Members that may be absent."""

    width: int | None = None
    height: int | None = None


class Boxes(Configuration):
    """Values of a map, and an object whose members are not set."""

    by_name: dict[str, Sizes] = Field({}, description="Sizes of boxes.")
    usual: Sizes = Field(Sizes(), description="Members that may be absent.")
    tall: Sizes = Field(Sizes(height=3), description="A tall one.")


def test_values_of_maps_have_their_options_and_defaults_leave_out_what_is_not_set() -> None:
    rows = {option.name: option for option in options(Boxes)}
    assert list(rows) == [
        "by-name", "by-name.NAME.width", "by-name.NAME.height", "usual", "usual.width", "usual.height",
        "tall", "tall.width", "tall.height",
    ]  # fmt: skip
    assert [rows[name].default for name in ("by-name", "usual", "tall")] == ["`{}`", "", '`{"height":3}`']
    assert rows["usual"].description == "Members that may be absent."
