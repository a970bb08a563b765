"""Spans: what an agent did for a record, and how long it took, for whoever collects traces.

The context is that of W3C's Trace Context: a record that carries the header `traceparent` belongs to the trace of
whoever sent it. Attributes are names, numbers and sizes; never texts of prompts, answers, arguments or results.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, TypeAlias

from langstream.records import SimpleRecord

Attribute: TypeAlias = str | int | float | bool
HEADER: Final = "traceparent"
"""The header of records that names trace and span: https://www.w3.org/TR/trace-context/#traceparent-header."""


class Span(Protocol):
    """Something that is under way. It ends, and fails, with the block that it was opened for."""

    def set(self, name: str, value: Attribute) -> None:
        """Add what was found out meanwhile."""

    def traceparent(self) -> str | None:
        """What records that come of this carry in the header, or None where nobody collects traces."""


class Tracer(Protocol):
    """Opens spans. One that was opened inside of another is a part of it."""

    def record(
        self, name: str, record: SimpleRecord, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[Span]:
        """An agent's work on a record, in the trace that the record belongs to."""

    def call(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """A call of something else."""


class _NoSpan:
    def set(self, name: str, value: Attribute) -> None:
        """Forget it."""

    def traceparent(self) -> str | None:
        """None."""
        return None


_NOTHING: Final = nullcontext(_NoSpan())


class NoTracer:
    """Nobody collects traces."""

    def record(
        self, name: str, record: SimpleRecord, attributes: Mapping[str, Attribute]
    ) -> AbstractContextManager[Span]:
        """Nothing."""
        return _NOTHING

    def call(self, name: str, attributes: Mapping[str, Attribute]) -> AbstractContextManager[Span]:
        """Nothing."""
        return _NOTHING
