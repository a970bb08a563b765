"""Traces: who gets spans, of what, and what never goes into them."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Iterator

import pytest

from langstream.records import SimpleRecord
from langstream.runtime.traces import Traces, open_traces
from langstream.sdk.tracing import NoTracer
from tests.servers.trace_collector import TraceCollector, trace_collector

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceCollector]:
    """Where the environment says that traces go."""
    with trace_collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


def record(*headers: tuple[str, str]) -> SimpleRecord:
    return SimpleRecord("secret text", headers=headers)


async def test_nobody_collects_traces_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    traces = open_traces()
    assert isinstance(traces.tracer, NoTracer)
    with traces.tracer.record("process a", record(), {}) as span:
        span.set("n", 1)
        assert span.traceparent() is None
    await traces.close()


@pytest.mark.parametrize(("name", "value"), [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")])
def test_opentelemetrys_switches_turn_them_off(
    collector: TraceCollector, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert isinstance(open_traces().tracer, NoTracer)


async def test_calls_are_parts_of_the_work_on_a_record(
    collector: TraceCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "my-app")
    traces = open_traces()
    with traces.tracer.record("process a", record(("traceparent", PARENT)), {"langstream.agent.id": "a"}) as span:
        with traces.tracer.call("chat m", {"gen_ai.request.model": "m"}) as call:
            call.set("gen_ai.usage.input_tokens", 3)
        onward = span.traceparent()
    await traces.close()
    inner, outer = collector.spans
    assert (outer.service, outer.name, outer.attributes) == ("my-app", "process a", {"langstream.agent.id": "a"})
    assert f"00-{outer.trace}-{outer.parent}-01" == PARENT
    assert (inner.trace, inner.parent) == (outer.trace, outer.id)
    assert inner.attributes == {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 3}
    assert onward == f"00-{outer.trace}-{outer.id}-01"


@pytest.mark.parametrize("header", [None, "", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
async def test_a_record_that_belongs_to_no_trace_begins_one(collector: TraceCollector, header: str | None) -> None:
    traces = open_traces()
    with traces.tracer.record("process a", record(*([("traceparent", header)] if header is not None else [])), {}):
        pass
    await traces.close()
    (span,) = collector.spans
    assert span.parent == ""


async def test_two_records_do_not_share_a_trace(collector: TraceCollector) -> None:
    traces = open_traces()
    for _ in range(2):
        with traces.tracer.record("process a", record(), {}):
            pass
    await traces.close()
    assert len({span.trace for span in collector.spans}) == 2


async def test_a_failure_is_told_by_its_type_only(collector: TraceCollector) -> None:
    traces = open_traces()
    with pytest.raises(ValueError, match="secret"), traces.tracer.record("process a", record(), {}):
        raise ValueError("secret text")
    await traces.close()
    (span,) = collector.spans
    assert span.failed
    assert span.attributes == {"error.type": "ValueError"}
    assert not any(b"secret" in text for text in collector.texts)


def test_what_is_missing_is_told_and_nothing_is_held_up(
    collector: TraceCollector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    assert isinstance(open_traces().tracer, NoTracer)
    assert "install `langstream[traces]`" in caplog.text


async def test_credentials_of_the_collector_are_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://user:pass@collector.example:4318/v1?key=k")
    await open_traces().close()
    assert "https://collector.example:4318/v1" in caplog.text
    assert "pass" not in caplog.text
    assert "key" not in caplog.text


async def test_a_collector_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    traces = open_traces()
    with traces.tracer.record("process a", record(), {}):
        pass
    await traces.close()


async def test_closing_what_was_never_opened_does_nothing() -> None:
    await Traces().close()
