"""The layer that asks the services one after the other until one of them answers.

A service goes on to the next one where it failed before a piece of its answer came. A stream that breaks in the middle
is the failure of the call: only the agent knows whether somebody has seen the pieces. When it asks again, the service
whose stream broke comes last.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing

from langstream.agents.ai.model_call import Asked, Asker
from langstream.agents.ai.routes import Route
from langstream.errors import ServiceError
from langstream.sdk.contract import Counter
from langstream.services.ai.contract import Chunk

LOG = logging.getLogger(__name__)


def in_order(routes: Sequence[Route], moves_on: Collection[str], passed_on: Counter) -> Asker:
    """The layer. A single route is asked directly."""
    if len(routes) == 1:
        return routes[0].ask

    async def ask(asked: Asked) -> AsyncGenerator[Chunk, None]:
        failures: list[tuple[Route, ServiceError]] = []
        for route in _candidates(routes, asked.avoid):
            if failures:
                passed_on.inc()
            began = False
            try:
                async with aclosing(_watched(route, asked)) as chunks:
                    async for chunk in chunks:
                        began = True
                        yield chunk
                return
            except ServiceError as error:
                if began:
                    asked.avoid.add(route.name)
                if began or error.category not in moves_on:
                    raise
                failures.append((route, error))
        raise _all_failed(failures)

    return ask


def _candidates(routes: Sequence[Route], avoid: Collection[str]) -> Iterator[Route]:
    """Those worth asking, in order; then those left alone, since a failure is certain without them."""
    left_alone = []
    for route in sorted(routes, key=lambda route: route.name in avoid):
        if route.circuit.admits():
            yield route
        else:
            left_alone.append(route)
    yield from sorted(left_alone, key=lambda route: route.circuit.until)


async def _watched(route: Route, asked: Asked) -> AsyncGenerator[Chunk, None]:
    """The route's answer; its circuit learns how it went."""
    decided = False
    try:
        async with aclosing(route.ask(asked)) as chunks:
            async for chunk in chunks:
                if chunk.last:
                    decided = True
                    _close(route)
                yield chunk
    except ServiceError as error:
        if not decided:
            decided = True
            _fail(route, error)
        raise
    finally:
        if not decided:
            route.circuit.abandoned()


def _close(route: Route) -> None:
    if route.circuit.open:
        LOG.info("AI service %s answers again", route.name)
    route.circuit.succeeded()


def _fail(route: Route, error: ServiceError) -> None:
    was_open = route.circuit.open
    route.circuit.failed(error)
    if route.circuit.open and not was_open:
        LOG.warning("AI service %s is left alone for a while: %s", route.name, error)


def _all_failed(failures: Sequence[tuple[Route, ServiceError]]) -> ServiceError:
    """One error for all: worth another attempt if one of them is."""
    errors = [error for _, error in failures]
    again = [error for error in errors if error.retryable]
    waits = [error.retry_after_seconds for error in again if error.retry_after_seconds is not None]
    told = "; ".join(f"{route.name}: {error}" for route, error in failures)
    return ServiceError(
        f"none of {len(failures)} AI services answered: {told}",
        category=(again or errors)[0].category,
        retry_after_seconds=min(waits) if again and len(waits) == len(again) else None,
    )
