"""Traces for an OpenTelemetry collector, where the environment names one. Needs `langstream[traces]`.

The variables are OpenTelemetry's own (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER` …): see
its specification, "OTLP exporter configuration" and "SDK environment variables". Spans are sent over HTTP by a thread
of their own; a collector that is away costs spans, never records.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from langstream.records import SimpleRecord
from langstream.sdk.tracing import HEADER, Attribute, NoTracer, Span, Tracer

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CLOSE_SECONDS: Final = 5.0
"""The last spans get so long to be sent."""

_log = logging.getLogger(__name__)


class Traces:
    """Where the spans of a process go. `tracer` is what agents get."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self.tracer: Tracer = OpenTelemetryTracer(provider) if provider is not None else NoTracer()

    async def close(self) -> None:
        """Send what is left, and let go."""
        provider, self._provider = self._provider, None
        if provider is None:
            return
        closing = asyncio.get_running_loop().run_in_executor(None, provider.shutdown)
        done, _ = await asyncio.wait([closing], timeout=CLOSE_SECONDS)
        if not done:
            _log.warning("the collector of traces does not answer; the last spans are lost")


def open_traces() -> Traces:
    """As the process's environment asks for. Without an endpoint, or the packages it takes, there are none."""
    environment = os.environ  # where the exporter looks too
    endpoint = next((environment[name] for name in ENDPOINTS if environment.get(name)), None)
    off = (
        environment.get("OTEL_SDK_DISABLED", "").lower() == "true" or environment.get("OTEL_TRACES_EXPORTER") == "none"
    )
    if endpoint is None or off:
        return Traces()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        _log.warning(
            "no traces are collected, though %s is set: install `langstream[traces]` (%s)", ENDPOINTS[1], error
        )
        return Traces()
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: environment.get("OTEL_SERVICE_NAME") or "langstream"}),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _log.info("traces go to the collector at %s", _without_credentials(endpoint))
    return Traces(provider)


class OpenTelemetryTracer:
    """Spans by OpenTelemetry's SDK."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._tracer = provider.get_tracer("langstream", version("langstream"))
        self._propagator = TraceContextTextMapPropagator()
        self._kinds = SpanKind

    def record(
        self, name: str, record: SimpleRecord, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[Span]:
        """In the trace named by the record's header, or in one of its own."""
        text = next((str(value) for key, value in record.headers() if key == HEADER), None)
        from opentelemetry.context import Context

        context = self._propagator.extract({HEADER: text} if text else {}, Context())
        return self._span(name, self._kinds.CONSUMER, attributes, context)

    def call(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """A part of the span that is open."""
        return self._span(name, self._kinds.CLIENT, attributes, None)

    @contextmanager
    def _span(
        self, name: str, kind: Any, attributes: Mapping[str, Attribute], context: Context | None
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name, context, kind, dict(attributes), record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield _Span(span, self._propagator)
            except BaseException as error:
                from opentelemetry.trace import StatusCode

                # the type only: what errors say may quote the record
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR)
                raise


class _Span:
    def __init__(self, span: Any, propagator: Any) -> None:
        self._span = span
        self._propagator = propagator

    def set(self, name: str, value: Attribute) -> None:
        self._span.set_attribute(name, value)

    def traceparent(self) -> str | None:
        from opentelemetry.trace import set_span_in_context

        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(self._span))
        return carrier.get(HEADER)


def _without_credentials(endpoint: str) -> str:
    scheme, separator, rest = endpoint.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
