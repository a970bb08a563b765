"""The applications that talk to web servers: a LangServe chain, and an HTTP interface."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import orjson

from tests.apps.catalogue.conftest import Launch, Serve, structures
from tests.apps.catalogue.thinking import Pages
from tests.apps.chat import ask
from tests.services.ai.fake_server import Reply


def chain(request: Mapping[str, Any]) -> Reply:
    """A LangServe server with one chain that ends with a chat model: messages, or pieces of one, come out."""
    topic = request["body"]["input"]["topic"]
    if request["path"] == "/joke/invoke":
        message = {"content": f"No joke about {topic}.", "additional_kwargs": {}, "type": "ai", "example": False}
        return Reply(body={"output": message, "metadata": {"run_id": "4f6e", "feedback_tokens": []}})
    assert request["path"] == "/joke/stream"
    events = [f"event: metadata\r\ndata: {json.dumps({'run_id': '4f6e'})}\r\n\r\n"]
    for piece in ("No ", "joke ", f"about {topic}", "."):
        data = orjson.dumps({"content": piece, "type": "AIMessageChunk"}).decode()
        events.append(f"event: data\r\ndata: {data}\r\n\r\n")
    events.append("event: end\r\n\r\n")
    return Reply(pieces=[event.encode() for event in events], content_type="text/event-stream")


def test_langserve_invoke_streams_and_answers_at_once(launch: Launch, serve: Serve) -> None:
    server = Pages(chain)
    serve(server)
    app = launch("langserve-invoke", {}, chain=f"{server.url}/joke")
    assert ask(app, "chat", "cats", session="me") == "No joke about cats."
    (value,) = structures(app.consume("answers", 1))
    assert value["answer"] == "No joke about cats."
    assert server.requests[0]["headers"]["x-session"] == "me"

    status, text = app.request("POST", f"/api/gateways/service/default/{app.name}/joke", {"value": "dogs"})
    assert status == 200, text
    assert json.loads(text)["record"]["value"] == "No joke about DOGS."


def registry(request: Mapping[str, Any]) -> Reply:
    """Countries by name, behind a token and a cookie, with a redirect in front."""
    if request["headers"].get("authorization") not in (None, "Bearer registry-secret"):
        return Reply(status=403, body={"error": "who are you?"})
    if request["path"] == "/v1/countries":
        target = f"/v2/countries?name={request['query']['name']}&limit={request['query']['limit']}"
        return Reply(status=302, headers={"Location": target, "Set-Cookie": "seen=yes; Path=/"}, body={})
    if request["path"] == "/v2/countries":
        if request["query"]["name"] == "Nowhere":
            return Reply(status=404, body={"error": "no such country"})
        assert request["headers"]["cookie"] == "seen=yes"
        return Reply(body={"name": request["query"]["name"], "capital": "Bern"})
    assert request["path"] == "/v1/reports"
    return Reply(body=f"thanks, {request['body']['asked-by']}".encode(), content_type="text/plain")


def test_http_request_processor_reads_and_reports(launch: Launch, serve: Serve) -> None:
    server = Pages(registry)
    serve(server)
    secrets = {"registry": {"token": "registry-secret"}}
    app = launch("http-request-processor", secrets, registry=server.url)
    app.produce("produce-input", "Nowhere", headers={"who": "skipped"})
    app.produce("produce-input", "Switzerland", headers={"who": "the embassy"})
    (value,) = structures(app.consume("consume-output", 1))
    assert value == {
        "country": "Switzerland",
        "who": "the embassy",
        "found": {"name": "Switzerland", "capital": "Bern"},
        "report": "thanks, the embassy",
    }
    report = next(request for request in server.requests if request["path"] == "/v1/reports")
    assert report["body"] == {"capital": "Bern", "asked-by": "the embassy"}
    log = app.log.read_text()
    assert "404" in log
    assert "registry-secret" not in log
