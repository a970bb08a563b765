"""The events topic."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from websockets.exceptions import InvalidStatus

from langstream.application.model import Gateway, GatewayAuthentication, GatewayType

if TYPE_CHECKING:
    from tests.gateway.conftest import Harness, Start

SECRET = b"a secret of at least thirty-two bytes!"


async def events(gateway: Harness, count: int) -> list[dict[str, Any]]:
    return [json.loads(record.value()) for record in await gateway.read("events", count)]


def with_events(type: GatewayType = GatewayType.PRODUCE, **how: Any) -> Gateway:
    return Gateway("gw", type, topic="in", parameters=("who",), events_topic="events", **how)


async def test_coming_and_going_are_recorded(start: Start) -> None:
    gateway = await start(with_events(), topics=("in", "events"))
    socket = await gateway.socket("produce", "gw", {"param:who": "eve"})
    await socket.close()
    connected, gone = await events(gateway, 2)
    assert (connected["type"], gone["type"]) == ("ClientConnected", "ClientDisconnected")
    assert connected["category"] == "Gateway"
    assert connected["timestamp"] <= gone["timestamp"]
    assert connected["source"]["tenant"] == "default"
    assert connected["source"]["applicationId"] == "app"
    assert connected["source"]["gateway"]["id"] == "gw"
    assert connected["data"]["userParameters"] == {"who": "eve"}
    assert connected["data"]["httpRequestHeaders"]["upgrade"] == "websocket"


async def test_sessions_over_server_sent_events_are_recorded_too(start: Start) -> None:
    gateway = await start(with_events(GatewayType.CONSUME), topics=("in", "events"))
    query = {"param:who": "eve", "option:position": "earliest"}
    async with gateway.http.get(gateway.url("consume", "gw", query)) as answer:
        await answer.content.readline()
    connected, gone = await events(gateway, 2)
    assert connected["data"]["options"] == {"position": "earliest"}
    assert gone["type"] == "ClientDisconnected"


async def test_single_requests_are_not_sessions(start: Start) -> None:
    gateway = await start(with_events(), topics=("in", "events"))
    async with gateway.http.post(gateway.url("produce", "gw", {"param:who": "eve"}), json={"value": 1}) as answer:
        assert answer.status == 200
    socket = await gateway.socket("produce", "gw", {"param:who": "after"})
    assert (await events(gateway, 1))[0]["data"]["userParameters"] == {"who": "after"}
    await socket.close()


async def test_an_event_holds_nothing_secret(start: Start) -> None:
    configuration = {"secretKey": base64.b64encode(SECRET).decode()}
    token = jwt.encode({"sub": "ann"}, SECRET, algorithm="HS256")
    guarded = with_events(
        authentication=GatewayAuthentication("jwt", configuration),
        definition={"id": "gw", "authentication": {"provider": "jwt", "configuration": configuration}},
    )
    gateway = await start(guarded, topics=("in", "events"))
    headers = {"Cookie": "c=private", "Authorization": f"Bearer {token}", "X-Api-Key": "private", "X-Colour": "red"}
    await gateway.socket("produce", "gw", {"param:who": "eve"}, additional_headers=headers)
    event = (await events(gateway, 1))[0]
    text = json.dumps(event)
    assert "private" not in text
    assert token not in text
    assert configuration["secretKey"] not in text
    assert event["data"]["httpRequestHeaders"]["x-colour"] == "red"
    assert event["source"]["gateway"]["authentication"] == {"provider": "jwt", "allow-test-mode": True}


async def test_a_client_that_cannot_be_announced_is_refused_and_released(start: Start) -> None:
    gateway = await start(with_events(GatewayType.CONSUME), topics=("in",))
    with pytest.raises(InvalidStatus) as refused:
        await gateway.socket("consume", "gw", {"param:who": "eve"})
    assert refused.value.response.status_code == 400
    tails = [tail for tail, _ in gateway.parts.tails._tails.values()]
    assert [len(tail._followers) for tail in tails] == [0]
