"""The pages of the reference say what a newcomer has to know."""

from __future__ import annotations

import re
from functools import cache

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.cli import reference
from langstream.registry import AI, ASSETS, STORES, Registry

NAMES = sorted({name for registry in (AGENT_TYPES, *map(Registry, (AI, STORES, ASSETS))) for name in registry.names()})
ROW = re.compile(r"^\| (.*) \|$", re.MULTILINE)


@cache
def rows(name: str) -> list[list[str]]:
    """The cells of each option on a page."""
    found = [re.split(r"(?<!\\)\|", row) for row in ROW.findall(reference.page(name))]
    return [[cell.strip() for cell in row] for row in found if row[0].startswith("`")]


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_type_and_a_description(name: str) -> None:
    told = [(option, kind, meaning) for option, kind, _, _, meaning in rows(name)]
    assert [option for option, kind, meaning in told if not meaning or not kind] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_option_that_is_required_has_no_default(name: str) -> None:
    assert [row[0] for row in rows(name) if row[2] == "yes" and row[3]] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_length_of_time_has_a_unit(name: str) -> None:
    timing = re.compile(r"\b(timeout|interval|period|delay|wait|idle|settle|ttl|expire)\b")
    unit = re.compile(r"second|\bsec\b|minute|hour|unit|\bms\b|30s", re.IGNORECASE)
    plain = [
        row[0]
        for row in rows(name)
        if timing.search(row[0]) and row[1] in ("integer", "number") and not unit.search(row[0] + row[4])
    ]
    assert plain == []
