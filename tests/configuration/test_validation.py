"""Options are checked leniently about scalars, strictly about names, and every complaint is told."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, Field, model_validator

from langstream.configuration.model import (
    Configuration,
    Expression,
    OpenConfiguration,
    Template,
    Text,
)
from langstream.configuration.validation import check, did_you_mean
from langstream.errors import Position


class Item(Configuration):
    """A nested model."""

    name: str
    expression: Expression = "value"


class Options(Configuration):
    """One option of every sort."""

    text: str | None = None
    any_text: Text = ""
    number: int = 5
    ratio: Annotated[float, Field(ge=0, le=1)] = 0.5
    flag: bool = False
    names: list[str] = Field(default_factory=list)
    items: list[Item] = Field(default_factory=list)
    either: Item | str | None = None
    numbers_or_one: list[int] | int | None = None
    mapping: dict[str, str] = Field(default_factory=dict)
    mode: Literal["fast", "thorough"] = "fast"
    prompt: Template = ""
    spelt: bool = Field(False, validation_alias=AliasChoices("spelt", "spellOut"))

    @model_validator(mode="after")
    def _no_contradiction(self) -> Options:
        if self.flag and self.mode == "thorough":
            raise ValueError("'flag' and a thorough mode exclude each other")
        return self


class Required(Configuration):
    """A required option."""

    needed: str


class Open(OpenConfiguration):
    """Further keys are accepted."""

    class_name: Annotated[str, Field(alias="className")]


def valid(**options: Any) -> Options:
    configuration, problems = check(Options, options, subject="agent")
    assert problems == []
    assert configuration is not None
    return configuration


def complaints(model: type[Configuration] = Options, **options: Any) -> list[str]:
    configuration, problems = check(model, options, subject="agent")
    assert configuration is None
    return [str(problem).removeprefix("Found error on agent. ") for problem in problems]


@pytest.mark.parametrize(
    ("options", "attribute", "value"),
    [
        ({"number": "7"}, "number", 7),
        ({"number": None}, "number", 5),
        ({"ratio": "0.25"}, "ratio", 0.25),
        ({"flag": "true"}, "flag", True),
        ({"text": 12}, "text", "12"),
        ({"text": True}, "text", "true"),
        ({"any-text": False}, "any_text", "false"),
        ({"names": "one"}, "names", ["one"]),
        ({"names": 1}, "names", ["1"]),
        ({"names": ["a", True, 2]}, "names", ["a", "true", "2"]),
        ({"numbers-or-one": 3}, "numbers_or_one", 3),
        ({"mode": "thorough"}, "mode", "thorough"),
        ({"spellOut": "true"}, "spelt", True),
        ({"mapping": {"a": 1}}, "mapping", {"a": "1"}),
        ({"either": "plain"}, "either", "plain"),
    ],
)
def test_values_are_taken_leniently(options: dict[str, Any], attribute: str, value: object) -> None:
    assert getattr(valid(**options), attribute) == value


def test_one_mapping_is_a_list_of_one() -> None:
    assert [item.name for item in valid(items={"name": "n"}).items] == ["n"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"number": "many"}, "Property 'number' has a wrong value: expected a whole number, not text"),
        ({"number": 1.5}, "Property 'number' has a wrong value: expected a whole number, not a number"),
        ({"number": {"a": 1}}, "Property 'number' has a wrong value: expected a whole number, not a mapping"),
        ({"ratio": 2}, "Property 'ratio' has a wrong value: expected less than or equal to 1"),
        ({"flag": "maybe"}, "Property 'flag' has a wrong value: expected true or false, not text"),
        ({"text": ["a"]}, "Property 'text' has a wrong value: expected text, not a list"),
        ({"names": [["a"]]}, "Property 'names[0]' has a wrong value: expected text, not a list"),
        ({"names": {"a": 1}}, "Property 'names' has a wrong value: expected text, not a mapping"),
        ({"mapping": "a"}, "Property 'mapping' has a wrong value: expected a mapping, not text"),
        (
            {"mode": "Fast"},
            "Property 'mode' has a wrong value: expected 'fast' or 'thorough', not 'Fast'. Did you mean 'fast'?",
        ),
        ({"numbr": 1}, "Property 'numbr' is unknown. Did you mean 'number'?"),
        ({"items": [{"name": "n"}, {}]}, "Property 'items[1].name' is required"),
        ({"items": [{"name": "n", "nmae": 1}]}, "Property 'items[0].nmae' is unknown. Did you mean 'name'?"),
        ({"items": ["n"]}, "Property 'items[0]' has a wrong value: expected a mapping, not text"),
        ({"either": {"expression": "value"}}, "Property 'either.name' is required"),
        ({"either": [1]}, "Property 'either' has a wrong value: expected a mapping or text, not a list"),
        ({"flag": True, "mode": "thorough"}, "'flag' and a thorough mode exclude each other"),
    ],
)
def test_complaints_are_for_people(options: dict[str, Any], expected: str) -> None:
    assert complaints(**options) == [expected]


def test_an_unknown_option_near_to_none_lists_the_known_ones() -> None:
    (complaint,) = complaints(qqqq=1)
    assert "Known properties: any-text, either, flag" in complaint


@pytest.mark.parametrize("options", [{}, {"needed": None}])
def test_required_means_there_and_not_null(options: dict[str, Any]) -> None:
    assert complaints(Required, **options) == ["Property 'needed' is required"]


def test_an_empty_text_is_there() -> None:
    assert check(Required, {"needed": ""}, subject="agent")[1] == []


def test_broken_expressions_and_templates_are_complaints() -> None:
    first, second = complaints(items=[{"name": "n", "expression": "value.b +"}], prompt="{{#a}}")
    assert first.startswith("Property 'items[0].expression': not a valid expression: ")
    assert "value.b +" in first
    assert second.startswith("Property 'prompt': not a valid template: ")


def test_every_complaint_is_told() -> None:
    assert len(complaints(number="x", flag="x", nope=1, items=[{}, {"name": [1]}], mode="slow")) == 6


def test_open_models_keep_further_keys() -> None:
    configuration, _ = check(Open, {"className": "a.B", "anything": [1, {"x": None}]}, subject="agent")
    assert configuration is not None
    assert configuration.model_extra == {"anything": [1, {"x": None}]}


def test_values_are_not_shown() -> None:
    assert "hush" not in "".join(complaints(number="hush", text=["hush"], items="hush"))


def test_positions_are_those_of_the_written_data() -> None:
    places = {
        ("items", 1, "nmae"): Position("f", 3, 4),
        ("number",): Position("f", 5, 6),
    }
    asked = []

    def locate(path: tuple[str | int, ...]) -> Position | None:
        asked.append(path)
        return places.get(path)

    data = {"items": [{"name": "n"}, {"name": "n", "nmae": 1}], "number": "x"}
    _, problems = check(Options, data, subject="agent", locate=locate)
    assert {problem.position for problem in problems} == set(places.values())


@pytest.mark.parametrize(
    ("name", "known", "guess"),
    [
        ("max_tokens", ["max-tokens", "model"], "Did you mean 'max-tokens'?"),
        ("inputs", ["input", "output"], "Did you mean 'input'?"),
        ("zebra", ["input", "output"], None),
        ("x", [], None),
    ],
)
def test_guesses(name: str, known: list[str], guess: str | None) -> None:
    assert did_you_mean(name, known) == guess
