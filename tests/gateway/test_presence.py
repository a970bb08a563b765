"""Clients that come and go, and what is announced about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from langstream.application.model import Application, ChatOptions, Gateway, GatewayType, HeaderRule, ServiceOptions
from langstream.gateway.announcer import Announcer
from langstream.gateway.call import Call
from langstream.gateway.directory import Target
from langstream.gateway.filters import Filter
from langstream.gateway.presence import Attendance, Presence
from langstream.gateway.query import Query
from langstream.gateway.service import REQUEST_ID
from langstream.records import SimpleRecord
from langstream.runtime.cancellation import Cancellation, read_cancellation
from langstream.topics.contract import TopicSpec

if TYPE_CHECKING:
    from tests.gateway.conftest import Harness, Start

TOPIC = "cancellations"


class Announced(Announcer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[Cancellation] = []

    def announce(self, target: Target, cancellation: Cancellation) -> None:
        self.heard.append(cancellation)

    def headers(self) -> list[dict[str, str]]:
        return [dict(each.headers) for each in self.heard]


def chat(after: float | None, answers: str = "out") -> Gateway:
    rule = HeaderRule("session", value_from_parameters="session")
    return Gateway("talk", GatewayType.CHAT, chat=ChatOptions("in", answers, (rule,), after))


LISTEN = Gateway("listen", GatewayType.CONSUME, topic="out")


class Bench:
    """Clients by name, at the time the test says."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.announced = Announced()
        self.stopping = asyncio.Event()
        self.presence = Presence(self.announced, self.stopping, lambda: self.now)
        self._clients: dict[str, AsyncExitStack] = {}

    async def come(
        self, name: str, gateway: Gateway, application: str = "app", cancellations: str | None = TOPIC, **headers: str
    ) -> Attendance:
        cluster: Any = object()
        target = Target(
            "default", application, Application({}, {}), frozenset(), cluster, lambda _: None, cancellations
        )
        stack = self._clients[name] = AsyncExitStack()
        call = Call(target, gateway, Query(), {}, {})
        return await stack.enter_async_context(self.presence.attend(call, Filter(headers.items())))

    async def leave(self, name: str) -> None:
        await self._clients.pop(name).aclose()

    def expire(self) -> None:
        """Everybody who is away has been so for long enough."""
        for place, absences in list(self.presence._absent.items()):
            for answers, absence in list(absences.items()):
                absence.timer.cancel()
                self.presence._expired(place, answers)

    @property
    def empty(self) -> bool:
        """Nothing is kept."""
        return not (self.presence._clients or self.presence._buckets or self.presence._absent)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.presence.close()


async def test_leaving_cancels_what_was_asked_up_to_that_moment(bench: Bench) -> None:
    client = await bench.come("ann", chat(0), session="1")
    client.asked()
    bench.now = 2000.5
    await bench.leave("ann")
    assert bench.announced.heard == [Cancellation("out", frozenset({("session", "1")}), 2_000_500)]
    assert bench.empty


async def test_clients_that_asked_nothing_or_have_their_answer_cancel_nothing(bench: Bench) -> None:
    await bench.come("ann", chat(0), session="1")
    bob = await bench.come("bob", chat(0), session="2")
    bob.asked()
    bob.answered()
    await bench.leave("ann")
    await bench.leave("bob")
    assert bench.announced.heard == []
    assert bench.empty


@pytest.mark.parametrize(
    ("gateway", "cancellations"), [(chat(None), TOPIC), (chat(0), None), (LISTEN, TOPIC)], ids=["never", "none", "ears"]
)
async def test_where_nothing_is_cancelled_nothing_is_announced(
    bench: Bench, gateway: Gateway, cancellations: str | None
) -> None:
    client = await bench.come("ann", gateway, cancellations=cancellations, session="1")
    client.asked()
    client.timed_out()
    await bench.leave("ann")
    assert bench.announced.heard == []
    assert bench.empty


async def test_a_client_without_headers_cannot_cancel_everything(bench: Bench) -> None:
    client = await bench.come("ann", chat(0))
    client.asked()
    await bench.leave("ann")
    assert bench.announced.heard == []


async def test_only_the_last_client_with_the_headers_counts(bench: Bench) -> None:
    for name in ("ann", "bob"):
        client = await bench.come(name, chat(0), session="1")
        client.asked()
    await bench.leave("ann")
    assert bench.announced.heard == []
    bench.now = 3000
    await bench.leave("bob")
    assert [each.before for each in bench.announced.heard] == [3_000_000]


async def test_what_one_asked_that_left_before_is_cancelled_when_a_listener_leaves_as_last(bench: Bench) -> None:
    client = await bench.come("ann", chat(0), session="1")
    await bench.come("ears", LISTEN, session="1", language="en")
    client.asked()
    await bench.leave("ann")
    assert bench.announced.heard == []
    await bench.come("more", LISTEN, session="1", language="de")
    await bench.leave("ears")
    assert bench.announced.heard == []
    await bench.leave("more")
    assert bench.announced.headers() == [{"session": "1"}]
    assert bench.empty


async def test_clients_with_a_part_of_the_headers_or_of_other_applications_do_not_count(bench: Bench) -> None:
    client = await bench.come("ann", chat(0), session="1", user="ann")
    client.asked()
    await bench.come("part", LISTEN, session="1")
    await bench.come("other", LISTEN, session="1", user="bob")
    await bench.come("elsewhere", LISTEN, "another", session="1", user="ann")
    await bench.leave("ann")
    assert bench.announced.headers() == [{"session": "1", "user": "ann"}]


async def test_whoever_comes_back_in_time_withdraws_it_until_leaving_again(bench: Bench) -> None:
    client = await bench.come("ann", chat(3600), session="1")
    client.asked()
    await bench.leave("ann")
    await bench.come("ann", chat(3600), session="1")
    bench.expire()
    assert bench.announced.heard == []
    bench.now = 3000
    await bench.leave("ann")
    bench.expire()
    assert [each.before for each in bench.announced.heard] == [3_000_000]
    assert bench.empty


async def test_nobody_came_back_in_time(bench: Bench) -> None:
    client = await bench.come("ann", chat(0.02), session="1")
    client.asked()
    await bench.leave("ann")
    bench.now = 9000
    async with asyncio.timeout(60):
        while not bench.announced.heard:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
    assert [each.before for each in bench.announced.heard] == [1_000_000]


async def test_somebody_else_listens_when_the_time_is_over(bench: Bench) -> None:
    client = await bench.come("ann", chat(3600), session="1")
    client.asked()
    await bench.leave("ann")
    await bench.come("ears", LISTEN, session="1", language="en")
    bench.expire()
    assert bench.announced.heard == []
    await bench.leave("ears")
    bench.expire()
    assert bench.announced.headers() == [{"session": "1"}]


async def test_gateways_of_the_same_headers_cancel_their_own_answers(bench: Bench) -> None:
    for name, answers in (("ann", "out"), ("bob", "others")):
        client = await bench.come(name, chat(3600, answers), session="1")
        client.asked()
    await bench.leave("ann")
    await bench.leave("bob")
    bench.expire()
    assert sorted(each.answers for each in bench.announced.heard) == ["others", "out"]


async def test_who_was_told_that_time_is_over_is_not_waited_for(bench: Bench) -> None:
    client = await bench.come("ann", chat(3600), session="1")
    client.asked()
    client.timed_out()
    await bench.leave("ann")
    assert bench.announced.headers() == [{"session": "1"}]


async def test_a_server_that_stops_cancels_nothing(bench: Bench) -> None:
    away = await bench.come("away", chat(3600), session="1")
    there = await bench.come("there", chat(0), session="2")
    away.asked()
    there.asked()
    await bench.leave("away")
    bench.stopping.set()
    bench.presence.close()
    await bench.leave("there")
    assert bench.announced.heard == []
    assert bench.empty


async def test_those_longest_away_are_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langstream.gateway.presence.MOST_ABSENT", 2)
    for number in "123":
        client = await bench.come("ann", chat(3600), session=number)
        client.asked()
        await bench.leave("ann")
    bench.expire()
    assert bench.announced.headers() == [{"session": "2"}, {"session": "3"}]


# --- through the door ---


async def cancelling(start: Start, *gateways: Gateway, topic: bool = True) -> Harness:
    """A gateway server whose application has a topic of cancellations."""
    gateway: Harness = await start(*gateways)
    if topic:
        await gateway.cluster.admin.create(TopicSpec(TOPIC))
    assert gateway.directory.target is not None
    gateway.directory.target = replace(gateway.directory.target, cancellations=TOPIC)
    return gateway


async def announced(gateway: Harness, count: int) -> list[Cancellation]:
    found = [read_cancellation(record) for record in await gateway.read(TOPIC, count)]
    return [each for each in found if each is not None]


async def test_a_socket_that_closes_after_a_question_is_announced_with_its_headers(start: Start) -> None:
    gateway = await cancelling(start, chat(0))
    idle = await gateway.socket("chat", "talk", {"param:session": "idle"})
    asking = await gateway.socket("chat", "talk", {"param:session": "s1"})
    await asking.send({"value": "why?", "headers": {"own": "x"}})
    await asking.receive()
    (question,) = await gateway.read("in", 1)
    await idle.close()
    await asking.close()
    (found,) = await announced(gateway, 1)
    assert (found.answers, dict(found.headers)) == ("out", {"session": "s1"})
    assert (question.timestamp() or 0) <= found.before
    assert gateway.metric("langstream_gateway_cancellations_total") == 1


async def test_clients_cannot_reach_the_topic(start: Start) -> None:
    gateway = await cancelling(start, Gateway("in", GatewayType.PRODUCE, topic=TOPIC))
    async with gateway.http.post(gateway.url("produce", "in"), json={"value": "x"}) as answer:
        assert answer.status == 400
        assert "not declared" in (await answer.json(content_type=None))["detail"]


async def test_a_service_call_without_an_answer_in_time_is_announced_by_its_id(start: Start) -> None:
    options = ServiceOptions(None, "in", "out", timeout_seconds=0.05, cancel_after_seconds=3600)
    gateway = await cancelling(start, Gateway("svc", GatewayType.SERVICE, service=options))
    async with gateway.http.post(gateway.url("service", "svc"), json={"value": "x"}) as answer:
        assert answer.status == 408
    (found,) = await announced(gateway, 1)
    (question,) = await gateway.read("in", 1)
    assert dict(found.headers) == {REQUEST_ID: dict(question.headers())[REQUEST_ID]}


async def test_an_answered_service_call_is_not_announced(start: Start) -> None:
    options = ServiceOptions(None, "in", "out", cancel_after_seconds=0)
    gateway = await cancelling(start, Gateway("svc", GatewayType.SERVICE, service=options))

    async def answering() -> None:
        (question,) = await gateway.read("in", 1)
        await gateway.producer.send("out", [SimpleRecord("because", headers=question.headers())])

    task = asyncio.create_task(answering())
    async with gateway.http.post(gateway.url("service", "svc"), json={"value": "x"}) as answer:
        assert answer.status == 200
    await task
    description = await gateway.cluster.admin.describe(TOPIC)
    assert description is not None
    assert description.records == 0


async def test_announcements_that_cannot_be_written_are_lost_with_a_warning(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = await cancelling(start, chat(0), topic=False)
    socket = await gateway.socket("chat", "talk", {"param:session": "s1"})
    await socket.send({"value": "why?"})
    await socket.receive()
    await socket.close()
    await gateway.until(lambda: "1 cancellations could not be announced" in caplog.text)
    await gateway.cluster.admin.create(TopicSpec(TOPIC))
    socket = await gateway.socket("chat", "talk", {"param:session": "s2"})
    await socket.send({"value": "why?"})
    await socket.receive()
    await socket.close()
    assert [dict(each.headers) for each in await announced(gateway, 1)] == [{"session": "s2"}]
