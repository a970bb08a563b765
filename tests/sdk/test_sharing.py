"""Things that replicas have in common."""

from __future__ import annotations

from langstream.sdk.sharing import Shared


def test_the_first_who_asks_makes_it() -> None:
    shared = Shared()
    first: list[int] = shared.take("name", list)
    assert shared.take("name", list) is first
    assert shared.take("other", list) is not first


def test_the_last_who_lets_go_is_told() -> None:
    shared = Shared()
    first: list[int] = shared.take("name", list)
    shared.take("name", list)
    assert not shared.release("name")
    assert shared.release("name")
    assert shared.take("name", list) is not first
