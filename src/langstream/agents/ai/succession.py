"""Services asked one after the other: which of them are worth asking, and what is told when none of them answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol, TypeVar

from langstream.errors import ServiceError
from langstream.services.ai.circuit import Circuit

LOG = logging.getLogger(__name__)


class Candidate(Protocol):
    """A service with a model."""

    @property
    def name(self) -> str:
        """Tells it from the others."""

    @property
    def circuit(self) -> Circuit:
        """Whether it is worth asking."""


C = TypeVar("C", bound=Candidate)


def candidates(services: Sequence[C], avoid: Collection[str] = ()) -> Iterator[C]:
    """Those worth asking, in order, those to avoid last; then those left alone, since a failure is certain without
    them."""
    left_alone = []
    for service in sorted(services, key=lambda service: service.name in avoid):
        if service.circuit.admits():
            yield service
        else:
            left_alone.append(service)
    yield from sorted(left_alone, key=lambda service: service.circuit.until)


def note_success(service: Candidate) -> None:
    """It answered."""
    if service.circuit.open:
        LOG.info("AI service %s answers again", service.name)
    service.circuit.succeeded()


def note_failure(service: Candidate, error: ServiceError) -> None:
    """It did not."""
    was_open = service.circuit.open
    service.circuit.failed(error)
    if service.circuit.open and not was_open:
        LOG.warning("AI service %s is left alone for a while: %s", service.name, error)


def all_failed(failures: Sequence[tuple[Candidate, ServiceError]]) -> ServiceError:
    """One error for all: worth another attempt if one of them is."""
    errors = [error for _, error in failures]
    again = [error for error in errors if error.retryable]
    waits = [error.retry_after_seconds for error in again if error.retry_after_seconds is not None]
    told = "; ".join(f"{service.name}: {error}" for service, error in failures)
    return ServiceError(
        f"none of {len(failures)} AI services answered: {told}",
        category=(again or errors)[0].category,
        retry_after_seconds=min(waits) if again and len(waits) == len(again) else None,
    )
