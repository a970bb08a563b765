"""The one reader of cancellations in a process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from langstream.records import SimpleRecord
from langstream.runtime import announcements as module
from langstream.runtime.announcements import Announcements
from langstream.runtime.cancellation import Cancellation, Cancellations

TOPIC = "cancellations"


def cancellation(session: str) -> Cancellation:
    return Cancellation("out", frozenset({("session", session)}), 100)


class Heard:
    """A listener."""

    def __init__(self) -> None:
        self.news: list[Cancellations] = []

    def __call__(self, news: Cancellations) -> None:
        self.news.append(news)

    def knows(self, session: str) -> bool:
        return any(knows(news, session) for news in self.news)


def knows(cancellations: Cancellations, session: str) -> bool:
    record = SimpleRecord("x", headers=(("session", session),), timestamp=1)
    return cancellations.cover(record, frozenset({"out"}))


@pytest.fixture
async def listening(kit: Any) -> AsyncIterator[Announcements]:
    announcements = Announcements(kit.cluster, TOPIC)
    yield announcements
    await announcements.close()


async def test_what_was_announced_before_is_known_too(kit: Any, listening: Announcements) -> None:
    await kit.topics(TOPIC)
    await kit.send(TOPIC, cancellation("1").record())
    listening.start()
    await kit.until(lambda: knows(listening.known, "1"))


async def test_listeners_hear_the_news_until_they_leave(kit: Any, listening: Announcements) -> None:
    await kit.topics(TOPIC)
    heard, gone = Heard(), Heard()
    listening.follow(heard)
    listening.follow(gone)
    listening.leave(gone)
    listening.leave(gone)
    listening.start()
    await kit.send(TOPIC, cancellation("1").record())
    await kit.until(lambda: heard.knows("1"))
    await kit.send(TOPIC, cancellation("2").record())
    await kit.until(lambda: heard.knows("2"))
    assert not any(knows(heard.news[-1], session) for session in "1")
    assert not gone.news


async def test_records_that_are_no_cancellations_are_passed_over(
    kit: Any, listening: Announcements, caplog: pytest.LogCaptureFixture
) -> None:
    await kit.topics(TOPIC)
    await kit.send(TOPIC, "nonsense", '{"answers": "out", "headers": {}, "before": 1}', cancellation("1").record())
    with caplog.at_level(logging.WARNING):
        listening.start()
        await kit.until(lambda: knows(listening.known, "1"))
    assert caplog.text.count("is no cancellation") == 2
    assert len(listening.known) == 1


async def test_those_too_old_to_matter_are_not_heard(kit: Any, listening: Announcements) -> None:
    await kit.topics(TOPIC)
    old = SimpleRecord(cancellation("1").record().value(), timestamp=1)
    heard = Heard()
    listening.follow(heard)
    await kit.send(TOPIC, old, cancellation("2").record())
    listening.start()
    await kit.until(lambda: heard.knows("2"))
    assert not knows(listening.known, "1")


async def test_a_topic_that_comes_back_is_read_again(
    kit: Any, listening: Announcements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_SECONDS", (0.01, 0.02))
    listening.start()
    await kit.until(lambda: listening._task is not None and not listening._task.done())
    await kit.topics(TOPIC)
    await kit.send(TOPIC, cancellation("1").record())
    await kit.until(lambda: knows(listening.known, "1"))
    await kit.send(TOPIC, cancellation("2").record())
    await kit.until(lambda: knows(listening.known, "2"))


async def test_closing_twice_or_without_a_start_does_no_harm(kit: Any) -> None:
    announcements = Announcements(kit.cluster, TOPIC)
    await announcements.close()
    announcements.start()
    await announcements.close()
    await announcements.close()
