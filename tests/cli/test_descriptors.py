from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from langstream.cli.descriptors import ENOUGH, allow_many_connections

LIMIT = resource.RLIMIT_NOFILE


@pytest.fixture(autouse=True)
def former_limit() -> Iterator[None]:
    soft, hard = resource.getrlimit(LIMIT)
    yield
    resource.setrlimit(LIMIT, (soft, hard))


def test_the_limit_is_raised_as_far_as_the_system_grants() -> None:
    _, hard = resource.getrlimit(LIMIT)
    resource.setrlimit(LIMIT, (256, hard))
    allow_many_connections()
    granted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    assert resource.getrlimit(LIMIT) == (granted, hard)


def test_a_higher_limit_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (ENOUGH + 1, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: pytest.fail("changed"))
    allow_many_connections()


def test_a_system_that_refuses_the_most_is_asked_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def refuse_much(_: int, limits: tuple[int, int]) -> None:
        asked.append(limits[0])
        if limits[0] > 10_240:
            raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse_much)
    allow_many_connections()
    assert asked == [ENOUGH, 10_240]


def test_a_system_that_refuses_everything_is_lived_with(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 512))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    allow_many_connections()
