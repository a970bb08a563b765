"""The client's callbacks, which come from threads of its own, as results on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import _pulsar

from langstream.topics.pulsar.failures import topic_error


async def answer(
    begin: Callable[[Callable[..., None]], None], doing: str, late: Callable[[Any], None] | None = None
) -> Any:
    """What the callback given to `begin` is called with. Raises TopicError.

    `late` gets a result that came after the caller had stopped waiting: what was opened then must be closed.
    """
    result, value = await outcome(begin, late)
    if result != _pulsar.Result.Ok:
        raise topic_error(result, doing)
    return value


async def outcome(
    begin: Callable[[Callable[..., None]], None], late: Callable[[Any], None] | None = None
) -> tuple[Any, Any]:
    """As `answer`, with the client's result instead of an exception."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[tuple[Any, Any]] = loop.create_future()

    def settle(result: Any, value: Any) -> None:
        if not future.done():
            future.set_result((result, value))
        elif late is not None and result == _pulsar.Result.Ok:
            late(value)

    def answered(result: Any, value: Any = None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is interested any more
            loop.call_soon_threadsafe(settle, result, value)

    begin(answered)
    return await future


def ignore(*_: Any) -> None:
    """A callback for what nobody waits for."""
