"""Schemas made of functions: annotations, defaults, docstrings of three manners."""

from __future__ import annotations

from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from langstream.agents.ai.tools.signatures import (
    UnfitSignature,
    description_of,
    documented_parameters,
    signature_of,
)
from langstream.agents.ai.tools.toolbox import ToolFailed


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: str
    title: str = ""


def google(city: str, days: int = 3, unit: Literal["C", "F"] = "C") -> str:
    """Forecast the weather.

    Looks it up.

    Args:
        city (str): The city,
            with its country.
        days: How many days.

    Returns:
        The forecast.
    """
    return f"{city} {days} {unit}"


def numpy(city: str, days: int) -> str:
    """Forecast.

    Parameters
    ----------
    city : str
        The city,
        with its country.
    days : int
        How many days.

    Returns
    -------
    str
        The forecast.
    """
    return f"{city} {days}"


def sphinx(city: str, days: int) -> str:
    """Forecast.

    :param city: The city.
    :param int days: How many days.
    :returns: The forecast.
    """
    return f"{city} {days}"


def test_annotations_defaults_and_docstring_become_the_schema() -> None:
    assert signature_of(google, "google").schema == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "city": {"type": "string", "description": "The city, with its country."},
            "days": {"type": "integer", "default": 3, "description": "How many days."},
            "unit": {"type": "string", "default": "C", "enum": ["C", "F"]},
        },
        "required": ["city"],
    }


@pytest.mark.parametrize("function", [google, numpy, sphinx])
def test_three_manners_of_docstrings_are_understood(function: Any) -> None:
    found = documented_parameters(function.__doc__.replace("\n    ", "\n"))
    assert found["city"].startswith("The city")
    assert found["days"] == "How many days."
    assert set(found) == {"city", "days"}
    assert description_of(function).splitlines()[0] in ("Forecast the weather.", "Forecast.")
    assert "param" not in description_of(function).lower()


def test_arguments_arrive_as_what_the_annotations_say() -> None:
    def pack(colour: Colour, where: Address, day: date, copy: Annotated[int, Field(ge=1, description="n")] = 1) -> Any:
        """Pack."""

    signature = signature_of(pack, "pack")
    arguments = {"colour": "red", "where": {"street": "S"}, "day": "2026-01-02", "copy": 2}
    assert signature.bind(arguments) == {
        "colour": Colour.RED,
        "where": Address(street="S"),
        "day": date(2026, 1, 2),
        "copy": 2,
    }
    assert signature.schema["properties"]["copy"]["description"] == "n"
    assert signature.schema["$defs"]["Address"]["properties"]["title"] == {"type": "string", "default": ""}


def test_the_function_keeps_its_own_defaults() -> None:
    assert signature_of(google, "g").bind({"city": "Rome"}) == {"city": "Rome"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({}, "city"), ({"city": "Rome", "days": "many"}, "days"), ({"city": "Rome", "planet": "Mars"}, "planet")],
)
def test_arguments_that_do_not_fit_are_told_in_words(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ToolFailed, match=words):
        signature_of(google, "g").bind(arguments)


def test_the_record_is_none_of_the_model() -> None:
    def who(record: Any, name: str) -> str:
        """Who."""
        return name

    signature = signature_of(who, "who")
    assert signature.takes_record
    assert list(signature.schema["properties"]) == ["name"]


def test_a_function_without_parameters_has_an_empty_object() -> None:
    def now() -> str:
        """Now."""
        return ""

    assert signature_of(now, "now").bind({}) == {}


def test_parameters_without_annotation_take_anything() -> None:
    def any_of(thing) -> Any:  # type: ignore[no-untyped-def]
        return thing

    assert signature_of(any_of, "a").bind({"thing": [1]}) == {"thing": [1]}


def _starred(*things: str) -> None: ...


def _named(**things: str) -> None: ...


def _strange(thing: object, other: Undefined) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def _unmodelled(thing: Opaque) -> None: ...


class Opaque:
    pass


@pytest.mark.parametrize("function", [_starred, _named, _strange, _unmodelled])
def test_what_no_schema_can_be_made_of_is_refused(function: Any) -> None:
    with pytest.raises(UnfitSignature, match="give `parameters`"):
        signature_of(function, "f")
