"""What the replicas of an agent in one process have in common: a limit, a file, a cache."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Shared:
    """Things by name. The first who asks makes one, and the last who lets go of it is told so, to close it."""

    def __init__(self) -> None:
        self._things: dict[Hashable, Any] = {}
        self._users: dict[Hashable, int] = {}

    def take(self, name: Hashable, make: Callable[[], T]) -> T:
        """The thing of that name, made if nobody has it."""
        if name not in self._things:
            self._things[name] = make()
        self._users[name] = self._users.get(name, 0) + 1
        thing: T = self._things[name]
        return thing

    def release(self, name: Hashable) -> bool:
        """Let go. True for the last one: the thing is not shared any more."""
        self._users[name] -= 1
        if self._users[name]:
            return False
        del self._users[name], self._things[name]
        return True
