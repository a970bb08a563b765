"""The layer that asks the services one after the other until one of them answers.

A service goes on to the next one where it failed before a piece of its answer came. A stream that breaks in the middle
is the failure of the call: only the agent knows whether somebody has seen the pieces. When it asks again, the service
whose stream broke comes last.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing

from langstream.agents.ai.model_call import Asked, Asker
from langstream.agents.ai.routes import Route
from langstream.agents.ai.succession import all_failed, candidates, note_failure, note_success
from langstream.errors import ServiceError
from langstream.sdk.contract import Counter
from langstream.services.ai.contract import Chunk


def in_order(routes: Sequence[Route], moves_on: Collection[str], passed_on: Counter) -> Asker:
    """The layer. A single route is asked directly."""
    if len(routes) == 1:
        return routes[0].ask

    async def ask(asked: Asked) -> AsyncGenerator[Chunk, None]:
        failures: list[tuple[Route, ServiceError]] = []
        for route in candidates(routes, asked.avoid):
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
        raise all_failed(failures)

    return ask


async def _watched(route: Route, asked: Asked) -> AsyncGenerator[Chunk, None]:
    """The route's answer; its circuit learns how it went."""
    decided = False
    try:
        async with aclosing(route.ask(asked)) as chunks:
            async for chunk in chunks:
                if chunk.last:
                    decided = True
                    note_success(route)
                yield chunk
    except ServiceError as error:
        if not decided:
            decided = True
            note_failure(route, error)
        raise
    finally:
        if not decided:
            route.circuit.abandoned()
