"""Functions of the application as tools.

Nothing of them runs on the runtime's event loop: plain functions run in threads, one per call, coroutines on a loop of
the agent's own. A plain function that does not end in time is left behind in its thread.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from langstream.agents.ai.tools.configuration import PythonToolEntry
from langstream.agents.ai.tools.signatures import (
    RECORD,
    Signature,
    UnfitSignature,
    description_of,
    signature_of,
    wants_record,
)
from langstream.agents.ai.tools.toolbox import Toolbox, ToolFailed, result_text
from langstream.agents.custom.code import load_class, load_function
from langstream.agents.custom.failures import FailureLog, description
from langstream.agents.custom.instance import accepted, is_async
from langstream.agents.custom.threads import AgentLoop, AgentThread, CodeFailed
from langstream.errors import AgentFailed
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import Tool, ToolCall

CLOSE_SECONDS = 5.0
"""How long `close` of a class may take."""


class PythonTool(Toolbox):
    """One function, or the method `call` of an object."""

    def __init__(self, entry: PythonToolEntry) -> None:
        self._entry = entry
        self.timeout_seconds = entry.timeout_seconds
        self._instance: Any = None
        self._function: Callable[..., Any] | None = None
        self._signature: Signature | None = None
        self._tool: Tool | None = None
        self._loop: AgentLoop | None = None
        self._failures: FailureLog | None = None
        self._name = ""
        self._takes_record = False

    async def start(self, context: AgentContext) -> None:
        """Import the function, and begin the object's life. Raises AgentFailed."""
        root = context.code_directory.resolve() if context.code_directory else None
        self._failures = FailureLog(context.agent_id, root)
        self._loop = AgentLoop(f"agent {context.agent_id} tools")
        try:
            await self._threaded(partial(self._load, root))
            if self._instance is not None:
                await self._begin("init", self._entry.configuration)
                await self._begin("start")
        except CodeFailed as failure:
            if isinstance(failure.error, AgentFailed):
                raise failure.error from None
            raise self._unusable(description(failure.error)) from failure.error

    async def close(self) -> None:
        """End the object's life; one whose `close` does not end is left alone."""
        try:
            if callable(getattr(self._instance, "close", None)):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._run(self._instance.close)
        except (TimeoutError, CodeFailed) as error:
            if isinstance(error, CodeFailed) and self._failures is not None:
                self._failures.report(error.error, "close()")
        finally:
            if self._loop is not None:
                self._loop.stop()

    def tools(self) -> Sequence[Tool]:
        return [self._tool] if self._tool is not None else []

    async def call(
        self, call: ToolCall, arguments: Mapping[str, Any], record: SimpleRecord, timeout_seconds: float
    ) -> str:
        assert self._function is not None
        given = self._signature.bind(arguments) if self._signature is not None else dict(arguments)
        if self._takes_record:
            given[RECORD] = record
        try:
            return result_text(await self._run(partial(self._function, **given)))
        except CodeFailed as failure:
            if isinstance(failure.error, asyncio.CancelledError):
                raise ToolFailed("the call was cancelled") from None
            assert self._failures is not None
            self._failures.report(failure.error, f"tool {self._name}")
            raise ToolFailed(description(failure.error)) from None

    def _load(self, root: Path | None) -> None:
        entry = self._entry
        if entry.function is not None:
            function, name = load_function(entry.function, root), entry.function.rpartition(".")[2]
            described: Any = function
        else:
            assert entry.class_name is not None
            cls = load_class(entry.class_name, root)
            if not callable(getattr(cls, "call", None)):
                raise self._unusable("the class has no method 'call'")
            self._instance = cls()
            function, name = self._instance.call, _snake(cls.__name__)
            described = cls if entry.parameters is None and cls.__doc__ else function
        self._declare(function, entry.name or name, described)

    def _declare(self, function: Callable[..., Any], name: str, described: Any) -> None:
        words = self._entry.description or description_of(described) or description_of(function)
        if not words:
            raise self._unusable("it has no docstring that tells a model what it is for; give `description`")
        parameters = self._entry.parameters
        if parameters is None:
            try:
                self._signature = signature_of(function, name)
            except UnfitSignature as error:
                raise self._unusable(str(error)) from None
            parameters = dict(self._signature.schema)
        self._function, self._name, self._takes_record = function, name, wants_record(function)
        self.checks_arguments = self._signature is not None
        self._tool = Tool(name, words, parameters)

    async def _begin(self, name: str, *arguments: Any) -> None:
        method = getattr(self._instance, name, None)
        if callable(method):
            await self._run(partial(method, *accepted(method, arguments)))

    async def _run(self, function: Callable[[], Any]) -> Any:
        """Call it where it belongs. Raises CodeFailed. What a plain function returns to be awaited is awaited."""
        assert self._loop is not None
        inner = function.func if isinstance(function, partial) else function
        if is_async(inner):
            return await self._on_loop(function)
        result = await self._threaded(function)
        return await self._on_loop(lambda: result) if inspect.isawaitable(result) else result

    async def _on_loop(self, function: Callable[[], Awaitable[Any]]) -> Any:
        """On the agent's loop; a caller that is cancelled cancels the coroutine there."""
        assert self._loop is not None
        begun: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = []

        async def noted() -> Any:
            begun.append((asyncio.get_running_loop(), asyncio.current_task()))
            return await function()

        try:
            return await self._loop.submit(noted)
        except asyncio.CancelledError:
            for loop, task in begun:
                if task is not None:
                    loop.call_soon_threadsafe(task.cancel)
            raise

    async def _threaded(self, function: Callable[[], Any]) -> Any:
        thread = AgentThread(f"tool {self._name or self._entry.function or self._entry.class_name}")
        try:
            return await thread.submit(function)
        finally:
            thread.stop()

    def _unusable(self, reason: str) -> AgentFailed:
        failure = AgentFailed(f"the tool '{self._entry.function or self._entry.class_name}' cannot be used: {reason}")
        failure.retryable = False
        return failure


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
