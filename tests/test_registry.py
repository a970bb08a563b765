from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from langstream import registry
from langstream.registry import AGENTS, TOPICS, Registry


def test_built_in_members_are_found_in_the_metadata_of_the_distribution() -> None:
    assert {"compute", "ai-chat-completions"} <= set(Registry(AGENTS).names())
    assert "embedded" in Registry(TOPICS)


def test_names_are_sorted() -> None:
    names = Registry(AGENTS).names()
    assert list(names) == sorted(names)


def test_an_unknown_name_is_a_key_error() -> None:
    assert "no-such-agent" not in Registry(AGENTS)
    with pytest.raises(KeyError):
        Registry(AGENTS).load("no-such-agent")


def test_a_group_without_members_is_empty() -> None:
    assert Registry("langstream.nothing").names() == ()


def test_a_module_is_imported_when_its_member_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("brush", "colorsys:rgb_to_hsv", "langstream.brushes")
    monkeypatch.setattr(registry, "_installed", lambda: {"langstream.brushes": {"brush": entry}})
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    brushes = Registry("langstream.brushes")
    assert "brush" in brushes
    assert "colorsys" not in sys.modules
    assert brushes.load("brush") is sys.modules["colorsys"].rgb_to_hsv


def test_distributions_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    Registry(AGENTS).names()
    monkeypatch.setattr(registry, "entry_points", lambda: pytest.fail("searched again"))
    assert Registry(TOPICS).names()
