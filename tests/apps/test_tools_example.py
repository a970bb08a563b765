"""The example `tools`, with a model that looks three things up: in Python, by MCP, in another pipeline."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.apps.catalogue.thinking import KEY, Loop
from tests.apps.place import Place
from tests.servers.trace_collector import TraceCollector, trace_collector
from tests.services.ai.fake_server import FakeServer, Reply
from tests.services.ai.tool_protocols import openai_delta

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
EXAMPLE = Path(__file__).parents[2] / "examples/tools"


class Clerk(FakeServer):
    """A model that looks the order up, then counts days and converts the price at once, then answers."""

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        messages = request["body"]["messages"]
        told = [message["content"] for message in messages if message["role"] == "tool"]
        if not told:
            return self._calls(find_order={"number": 4711})
        order = json.loads(told[0])
        if len(told) == 1:
            days = {"first": order["ordered"], "second": order["delivered"]}
            return self._calls(days_between=days, convert={"euros": order["euros"], "currency": "CHF"})
        amount = json.loads(told[2])["amount"]
        answer = f"{order['item']}: {told[1]} days, {amount} francs"
        return self._events(openai_delta({"content": json.dumps({"answer": answer, "orders": [4711]})}), "stop")

    def _calls(self, **calls: Any) -> Reply:
        made = [
            {"index": index, "id": f"{name}-1", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for index, (name, arguments) in enumerate(calls.items())
        ]
        return self._events(openai_delta({"tool_calls": made}), "tool_calls")

    def _events(self, event: Any, finish: str) -> Reply:
        pieces = [self.event(each) for each in (event, openai_delta({}, finish), "[DONE]")]
        return Reply(pieces=pieces, content_type="text/event-stream")


@pytest.fixture
def clerk() -> Iterator[Clerk]:
    """The model, answering."""
    loop = Loop()
    clerk = Clerk()
    loop.serve(clerk)
    yield clerk
    loop.close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceCollector]:
    """Gets the traces of applications that are started."""
    with trace_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield collector


def test_the_model_looks_things_up_before_it_answers(place: Place, clerk: Clerk, collector: TraceCollector) -> None:
    pytest.importorskip("mcp")
    globals_ = {"url": f"{clerk.url}/v1", "model": "m", "python": sys.executable}
    app = place.run(EXAMPLE / "application", name="tools", secrets={"ai": {"access-key": KEY}}, globals_=globals_)
    question = {"value": "How long for 4711?", "headers": {"traceparent": TRACE}}
    status, text = app.request("POST", f"/api/gateways/service/default/{app.name}/ask", question)
    assert status == 200, f"{text}\n{app.log.read_text()}"
    answered = json.loads(json.loads(text)["record"]["value"])
    assert answered["reply"] == {"answer": "A kettle: 7 days, 38.0 francs", "orders": [4711]}
    assert [(call["round"], call["name"], call["failed"]) for call in answered["calls"]] == [
        (1, "find_order", False),
        (2, "days_between", False),
        (2, "convert", False),
    ]
    metrics = app.get("/management/prometheus")[1]
    for name in ("find_order", "days_between", "convert"):
        assert f"tool_{name}_num_calls_total" in metrics
        assert f"tool_{name}_seconds_count" in metrics
    assert KEY not in app.log.read_text()
    assert "tool 'convert' answered after" in app.log.read_text()
    _check_traces(collector, answered["reply"]["answer"])


def _check_traces(collector: TraceCollector, answer: str) -> None:
    deadline = time.monotonic() + 60
    while not any(span.name.startswith("process") for span in collector.spans):
        assert time.monotonic() < deadline, collector.spans
        time.sleep(0.05)
    (work,) = [span for span in collector.spans if span.name.startswith("process")]
    assert f"00-{work.trace}-{work.parent}-01" == TRACE
    parts = [span.name for span in collector.spans if span.parent == work.id]
    assert sorted(parts) == ["chat m"] * 3 + [
        f"execute_tool {name}" for name in ("convert", "days_between", "find_order")
    ]
    sent = b"".join(collector.texts)
    assert not any(text in sent for text in (answer.encode(), b"4711", KEY.encode()))
