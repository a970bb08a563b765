"""Registries: names of agent types, brokers, AI services, stores and authentication providers.

A registry is an entry-point group. The built-in members are declared in this distribution's own metadata, exactly as
a third party declares its own, and a member's module is imported when an application first names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Any

AGENTS = "langstream.agents"
TOPICS = "langstream.topics"
AI = "langstream.ai"
STORES = "langstream.stores"
ASSETS = "langstream.assets"
AUTHENTICATION = "langstream.auth"


@cache
def _installed() -> Mapping[str, Mapping[str, EntryPoint]]:
    """Entry points of every distribution, by group and name. Read once: it takes as long as importing a library."""
    found = entry_points()
    groups = [group for group in found.groups if group.startswith("langstream.")]
    return {group: {entry.name: entry for entry in found.select(group=group)} for group in groups}


class Registry:
    """The members of one entry-point group, imported on first use."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._loaded: dict[str, Any] = {}

    @cached_property
    def _entries(self) -> Mapping[str, EntryPoint]:
        return _installed().get(self.group, {})

    def names(self) -> tuple[str, ...]:
        """Every registered name, sorted; nothing is imported."""
        return tuple(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def load(self, name: str) -> Any:
        """The object registered under the name. Raises KeyError for an unknown one."""
        if name not in self._loaded:
            self._loaded[name] = self._entries[name].load()
        return self._loaded[name]
