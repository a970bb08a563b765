"""WebSocket gateways over a real port."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from langstream.application.model import (
    ChatOptions,
    Gateway,
    GatewayAuthentication,
    GatewayType,
    HeaderRule,
)
from langstream.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from tests.gateway.conftest import Start

UP = Gateway("up", GatewayType.PRODUCE, topic="in")
DOWN = Gateway("down", GatewayType.CONSUME, topic="in")


async def test_messages_are_acknowledged_in_order_and_pushed_with_their_offset(start: Start) -> None:
    gateway = await start(UP, DOWN)
    down = await gateway.socket("consume", "down")
    up = await gateway.socket("produce", "up")
    await up.send({"value": "one"})
    await up.send({"key": "k", "value": {"deep": [1]}, "headers": {"a": "b"}})
    assert [await up.receive(), await up.receive()] == [{"status": "OK", "reason": None}] * 2
    first, second = await down.receive(), await down.receive()
    assert first["record"] == {"key": None, "value": "one", "headers": {}}
    assert second["record"] == {"key": "k", "value": '{"deep":[1]}', "headers": {"a": "b"}}
    assert first["offset"]


async def test_bad_messages_are_answered_and_the_socket_stays_open(start: Start) -> None:
    gateway = await start(UP)
    up = await gateway.socket("produce", "up")
    for message in ("no json", {}, {"value": "x", "colour": "red"}, [1], {"value": 1, "headers": {"a": {}}}):
        await up.send(message)
    await up.send({"value": "fine"})
    replies = [await up.receive() for _ in range(6)]
    assert [reply["status"] for reply in replies] == ["BAD_REQUEST"] * 5 + ["OK"]
    assert replies[0]["reason"].startswith("Error while parsing JSON payload:")
    assert replies[1]["reason"] == "Either key or value must be set."
    assert "colour" in replies[2]["reason"]
    assert [record.value() for record in await gateway.read("in", 1)] == ["fine"]


async def test_messages_sent_before_leaving_are_written(start: Start) -> None:
    gateway = await start(UP)
    up = await gateway.socket("produce", "up", max_queue=None)
    for number in range(300):
        await up.send({"value": str(number)})
    await up.close()
    assert [record.value() for record in await gateway.read("in", 300)] == [str(number) for number in range(300)]


async def test_a_configured_header_cannot_be_set_by_a_message(start: Start) -> None:
    rules = (HeaderRule("header1", value="fixed"),)
    gateway = await start(Gateway("up", GatewayType.PRODUCE, topic="in", headers=rules))
    up = await gateway.socket("produce", "up")
    await up.send({"value": "x", "headers": {"header1": "mine"}})
    assert await up.receive() == {
        "status": "BAD_REQUEST",
        "reason": "Header header1 is configured as parameter-level header.",
    }


async def test_positions_latest_earliest_and_resumed(start: Start) -> None:
    gateway = await start(DOWN)
    first = await gateway.socket("consume", "down", {"option:position": "latest"})
    await gateway.send("in", "m1")
    offset = (await first.receive())["offset"]
    await gateway.send("in", "m2")
    resumed = await gateway.socket("consume", "down", {"option:position": offset})
    assert (await resumed.receive())["record"]["value"] == "m2"
    everything = await gateway.socket("consume", "down", {"option:position": "earliest"})
    assert [(await everything.receive())["record"]["value"] for _ in range(2)] == ["m1", "m2"]
    late = await gateway.socket("consume", "down")
    assert await late.quiet()
    await gateway.send("in", "m3")
    for socket in (late, resumed, everything):
        assert (await socket.receive())["record"]["value"] == "m3"


async def test_a_consumer_that_connects_after_an_acknowledgement_does_not_see_that_record(start: Start) -> None:
    gateway = await start(DOWN)
    watcher = await gateway.socket("consume", "down")
    for number in range(20):
        await gateway.send("in", f"old {number}")
        late = await gateway.socket("consume", "down")
        await gateway.send("in", f"new {number}")
        assert (await late.receive())["record"]["value"] == f"new {number}"
        await late.close()
    expected = [f"{age} {number}" for number in range(20) for age in ("old", "new")]
    assert [(await watcher.receive())["record"]["value"] for _ in expected] == expected


async def test_fifty_consumers_each_read_the_whole_topic(start: Start) -> None:
    gateway = await start(DOWN)
    values = [str(number) for number in range(100)]
    await gateway.send("in", *values)
    sockets = [await gateway.socket("consume", "down", {"option:position": "earliest"}) for _ in range(50)]
    await gateway.send("in", "last")
    for socket in sockets:
        assert [(await socket.receive())["record"]["value"] for _ in range(101)] == [*values, "last"]
    assert gateway.metric("langstream_gateway_tails") == 1


async def test_filters_by_value_and_by_parameter(start: Start) -> None:
    rules = (HeaderRule("class", value="vip"), HeaderRule("user", value_from_parameters="user"))
    gateway = await start(Gateway("down", GatewayType.CONSUME, topic="in", parameters=("user",), filters=rules))
    ann = await gateway.socket("consume", "down", {"param:user": "ann"})
    bob = await gateway.socket("consume", "down", {"param:user": "bob", "option:position": "earliest"})
    await gateway.send("in", "1", headers={"class": "vip", "user": "ann"})
    await gateway.send("in", "2", headers={"class": "economy", "user": "ann"})
    await gateway.send("in", "3", headers={"class": "vip", "user": "bob"})
    await gateway.send("in", "4", headers={"user": "bob"})
    assert (await ann.receive())["record"]["value"] == "1"
    assert (await bob.receive())["record"]["value"] == "3"
    assert await ann.quiet()
    assert await bob.quiet()


async def test_a_chat_gives_back_only_the_answers_of_its_session(start: Start) -> None:
    rules = (HeaderRule("session", value_from_parameters="session-id"),)
    talk = Gateway("talk", GatewayType.CHAT, chat=ChatOptions("questions", "answers", rules))
    gateway = await start(talk, topics=("questions", "answers"))
    one = await gateway.socket("chat", "talk", {"param:session-id": "s1"})
    two = await gateway.socket("chat", "talk", {"param:session-id": "s2"})
    await one.send({"value": "why"})
    assert await one.receive() == {"status": "OK", "reason": None}
    question = (await gateway.read("questions", 1))[0]
    assert question.headers() == [("session", "s1")]
    await gateway.send("answers", "because", headers={"session": "s1"})
    assert (await one.receive())["record"]["value"] == "because"
    assert await two.quiet()


async def test_a_chat_takes_every_question_of_a_client_that_left(start: Start) -> None:
    talk = Gateway("talk", GatewayType.CHAT, chat=ChatOptions("questions", "answers"))
    gateway = await start(talk, topics=("questions", "answers"))
    socket = await gateway.socket("chat", "talk", max_queue=None)
    await gateway.send("answers", *["x" * 10_000] * 100)
    for number in range(300):
        await socket.send({"value": str(number)})
    await socket.close()
    assert len(await gateway.read("questions", 300)) == 300


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ({}, 400, "missing required parameter room. Required parameters: [room]"),
        ({"param:room": " "}, 400, "missing required parameter room"),
        ({"param:room": "1", "param:bed": "2"}, 400, "unknown parameters: [bed]"),
        ({"param:room": "1", "option:speed": "2"}, 400, "Unknown option speed"),
        ({"param:room": "1", "option:position": "absolute"}, 400, "is not a position"),
        ({"param:room": "1", "option:position": ""}, 400, "cannot be blank"),
        ({"room": "1"}, 400, "param:room"),
        ({"param:room": "1", "credentials": "a", "test-credentials": "b"}, 400, "cannot be used together"),
    ],
)
async def test_a_handshake_with_wrong_arguments_is_refused_with_the_reason(
    start: Start, query: dict[str, str], status: int, reason: str
) -> None:
    gateway = await start(Gateway("down", GatewayType.CONSUME, topic="in", parameters=("room",)))
    with pytest.raises(InvalidStatus) as refused:
        await gateway.socket("consume", "down", query)
    assert refused.value.response.status_code == status
    problem = json.loads(refused.value.response.body or b"")
    assert problem["detail"].startswith("Error for gateway down (tenant: default, appId: app): ")
    assert reason in problem["detail"]


async def test_unknown_gateways_and_paths_are_not_found(start: Start) -> None:
    gateway = await start(UP)
    for kind, name in (("consume", "up"), ("produce", "nowhere"), ("nothing", "up")):
        with pytest.raises(InvalidStatus) as refused:
            await gateway.socket(kind, name)
        assert refused.value.response.status_code == 404


async def test_a_handshake_without_credentials_is_refused(start: Start) -> None:
    guarded = GatewayAuthentication("http", {"base-url": "http://127.0.0.1:1"})
    gateway = await start(Gateway("down", GatewayType.CONSUME, topic="in", authentication=guarded))
    with pytest.raises(InvalidStatus) as refused:
        await gateway.socket("consume", "down")
    assert refused.value.response.status_code == 401


async def test_an_undeclared_topic_is_out_of_reach(start: Start) -> None:
    gateway = await start(Gateway("up", GatewayType.PRODUCE, topic="implicit"))
    with pytest.raises(InvalidStatus) as refused:
        await gateway.socket("produce", "up")
    assert refused.value.response.status_code == 400


async def test_large_messages_in_fragments_are_taken_whole(start: Start) -> None:
    gateway = await start(UP)
    up = await gateway.socket("produce", "up")
    text = json.dumps({"value": "x" * 1_000_000})
    await up.connection.send(text[start : start + 7_000] for start in range(0, len(text), 7_000))
    assert (await up.receive())["status"] == "OK"
    assert len((await gateway.read("in", 1))[0].value()) == 1_000_000


async def test_too_large_a_message_closes_the_socket(start: Start) -> None:
    gateway = await start(UP, settings=GatewaySettings(max_message_bytes=1000))
    up = await gateway.socket("produce", "up")
    await up.send({"value": "x" * 2000})
    with pytest.raises(ConnectionClosed) as closed:
        await up.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


async def test_a_broken_reader_closes_the_socket_with_a_reason(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = await start(DOWN)
    socket = await gateway.socket("consume", "down")
    reader_class = type(gateway.cluster.reader("in", "latest"))

    async def broken(*_: object) -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr(reader_class, "read", broken)
    await gateway.send("in", "wakes the reader")
    assert (await socket.receive())["record"]["value"] == "wakes the reader"
    with pytest.raises(ConnectionClosed) as closed:
        await socket.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert "disk on fire" in closed.value.rcvd.reason


async def test_a_slow_client_loses_nothing_and_holds_little(start: Start) -> None:
    settings = GatewaySettings(session_records=50, session_bytes=20_000)
    gateway = await start(DOWN, settings=settings)
    slow = await gateway.socket("consume", "down", max_queue=1)
    for part in range(30):
        await gateway.send("in", *[f"{number:06d} {'x' * 3000}" for number in range(part * 100, part * 100 + 100)])
        await asyncio.sleep(0)
    numbers = [int((await slow.receive())["record"]["value"][:6]) for _ in range(3000)]
    assert numbers == list(range(3000))
    assert gateway.metric("langstream_gateway_slow_sessions_total") >= 1


async def test_a_client_that_reads_nothing_is_let_go(start: Start) -> None:
    settings = GatewaySettings(ping_interval_seconds=60, ping_timeout_seconds=0.2)
    gateway = await start(DOWN, settings=settings)
    down = await gateway.socket("consume", "down", max_queue=1)
    for _ in range(300):
        await gateway.send("in", "x" * 100_000)
        await asyncio.sleep(0)
    await gateway.until(lambda: not gateway.metric("langstream_gateway_sessions", type="consume"))
    down.connection.transport.abort()


async def test_too_many_connections_are_refused(start: Start) -> None:
    gateway = await start(DOWN, settings=GatewaySettings(max_connections=2))
    first = await gateway.socket("consume", "down")
    await gateway.socket("consume", "down")
    with pytest.raises(InvalidStatus) as refused:
        await gateway.socket("consume", "down")
    assert refused.value.response.status_code == 503
    await first.close()
    async with gateway.http.get(f"http://127.0.0.1:{gateway.server.port}/management/health") as health:
        assert health.status == 200


async def test_pages_of_foreign_origins_are_refused_where_origins_are_restricted(start: Start) -> None:
    gateway = await start(DOWN, settings=GatewaySettings(cors_origins=("https://good.example",)))
    await gateway.socket("consume", "down", origin="https://good.example")
    await gateway.socket("consume", "down")
    with pytest.raises(InvalidStatus) as refused:
        await gateway.socket("consume", "down", origin="https://evil.example")
    assert refused.value.response.status_code == 403


async def test_stopping_closes_open_sockets(start: Start) -> None:
    gateway = await start(DOWN)
    socket = await gateway.socket("consume", "down")
    await gateway.server.stop()
    with pytest.raises(ConnectionClosed):
        await socket.receive()
