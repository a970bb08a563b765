"""One custom agent at work: its object, the threads it runs in, and its life cycle.

Order: environment, import, construct, `init`, `start`, then `main` in the background where there is one, and at the end
`close`, called once, also after a failure. Every method may be missing, plain or `async def`, and gets at most as many
arguments as it declares. Plain methods run one at a time in the agent's own thread; `commit`, `agent_info` and `close`
in a second one, so that a `read` that blocks does not hold them up.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from langstream.agents.custom.code import load_class
from langstream.agents.custom.configuration import PythonAgentConfiguration, user_configuration
from langstream.agents.custom.context import UserContext
from langstream.agents.custom.failures import FailureLog, description, harmless, place
from langstream.agents.custom.threads import AgentLoop, AgentThread, CodeFailed
from langstream.errors import AgentFailed
from langstream.records import dump_json
from langstream.sdk.contract import AgentContext

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 5.0
"""How long a call under way, and then `close` itself, may take before the agent is abandoned."""


class UserAgent:
    """A running custom agent."""

    def __init__(self, configuration: PythonAgentConfiguration, context: AgentContext) -> None:
        self.class_name = configuration.class_name
        self.agent_id = context.agent_id
        self.instance: Any = None
        self.root: Path | None = context.code_directory.resolve() if context.code_directory else None
        self.failures = FailureLog(context.agent_id, self.root)
        self.work = AgentThread(f"agent {context.agent_id}")
        self.control = AgentThread(f"agent {context.agent_id} control")
        self.loop = AgentLoop(f"agent {context.agent_id} loop")
        self._configuration = configuration
        self._context = context
        self._info: dict[str, Any] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._main_thread: AgentThread | None = None
        self._closed = False

    async def open(self, required: str, *, main_in_background: bool = True) -> None:
        """Import, construct, `init` and `start`. Raises AgentFailed with the place in the user's code."""
        await self._construct()
        if not callable(getattr(self.instance, required, None)):
            raise AgentFailed(f"the class {self.class_name} has no method '{required}', which this type of agent needs")
        await self._begin("init", user_configuration(self._configuration, self._context), UserContext(self._context))
        await self._begin("start")
        await self._refresh_info()
        if main_in_background and callable(getattr(self.instance, "main", None)):
            self._keep(self._main_in_background())

    async def call(self, name: str, *arguments: Any, thread: AgentThread | None = None) -> Any:
        """Call a method wherever it belongs and wait for its result; None if there is no such method.

        Raises what the method raised, made harmless.
        """
        method = getattr(self.instance, name, None)
        if not callable(method):
            return None
        try:
            return await self.settle(self.invoke(method, *accepted(method, arguments), thread=thread))
        except CodeFailed as failure:
            self.failures.report(failure.error, f"{name}()")
            raise harmless(failure.error, f"{name}()") from None

    def invoke(
        self, method: Callable[..., Any], *arguments: Any, thread: AgentThread | None = None
    ) -> asyncio.Future[Any]:
        """Begin a call: a coroutine function on the agent's loop, anything else in a thread."""
        if is_async(method):
            return self.loop.submit(partial(gathered, method, *arguments))
        return (thread or self.work).submit(method, *arguments)

    async def settle(self, under_way: Any) -> Any:
        """The final result: futures and awaitables that a plain method returned are waited for."""
        result = await under_way if isinstance(under_way, asyncio.Future) else under_way
        if isinstance(result, Future):
            try:
                return await asyncio.wrap_future(result)
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and not result.cancelled():
                    raise  # this wait is cancelled, not the user's future
                raise CodeFailed(error) from None
        if inspect.isawaitable(result) or hasattr(result, "__aiter__"):
            return await self.loop.submit(partial(gathered, lambda: result))
        return result

    def info(self) -> dict[str, Any]:
        """What `agent_info` said last; asks again in the background."""
        if callable(getattr(self.instance, "agent_info", None)) and not self._background:
            self._keep(self._refresh_info())
        return self._info

    async def close(self) -> None:
        """Let a call under way end, call `close`, let the threads go. Never raises; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for task in tuple(self._background):
            task.cancel()
        if self.instance is not None:
            await _within(CLOSE_SECONDS, self.work.submit(_nothing))
            if not await _within(CLOSE_SECONDS, asyncio.ensure_future(self._close_quietly())):
                logger.warning("agent '%s': close() took longer than %g s", self.agent_id, CLOSE_SECONDS)
        for thread in (self.work, self.control, self._main_thread):
            if thread is not None:
                thread.stop()
        self.loop.stop()
        await self._interrupt_leftovers()

    async def run_main(self) -> None:
        """Run `main`, in a thread of its own or on the agent's loop, until it ends; then `join`, if there is one."""
        self._main_thread = AgentThread(f"agent {self.agent_id} main")
        await self.call("main", self._report_failure, thread=self._main_thread)
        await self.call("join", thread=self._main_thread)

    async def _construct(self) -> None:
        try:
            self.instance = await self.work.submit(self._load)
        except CodeFailed as failure:
            if isinstance(failure.error, AgentFailed):
                raise failure.error from None
            raise self._failed("the constructor", failure.error) from None

    def _load(self) -> Any:
        for entry in self._configuration.environment:
            os.environ[entry.key] = entry.value
        return load_class(self.class_name, self.root)()

    async def _begin(self, name: str, *arguments: Any) -> None:
        method = getattr(self.instance, name, None)
        if not callable(method):
            return
        try:
            await self.settle(self.invoke(method, *accepted(method, arguments)))
        except CodeFailed as failure:
            self.failures.report(failure.error, f"{name}()")
            raise self._failed(f"{name}()", failure.error) from failure.error

    def _failed(self, where: str, error: BaseException) -> AgentFailed:
        spot = place(error, self.root)
        return AgentFailed(f"{where} of {self.class_name} raised {description(error)}{f' ({spot})' if spot else ''}")

    async def _main_in_background(self) -> None:
        try:
            await self.run_main()
        except Exception as error:  # whatever the user's main raises is the agent's failure
            self._report_failure(error)

    def _report_failure(self, error: BaseException | str | None = None) -> None:
        """Also the callback handed to `main`: called in any thread."""
        report = self._context.report_failure
        failure = error if isinstance(error, BaseException) else AgentFailed(f"{self.class_name} gave up: {error}")
        logger.error("agent '%s': main() failed: %s", self.agent_id, description(failure))
        if report is not None:
            report(failure)

    async def _refresh_info(self) -> None:
        try:
            info = await self.call("agent_info", thread=self.control)
            if isinstance(info, Mapping):
                dump_json(dict(info))
                self._info = dict(info)
        except Exception as error:  # facts for a status page are worth no failure
            self.failures.report(error, "agent_info()")

    async def _close_quietly(self) -> None:
        try:
            await self.call("close", thread=self.control)
        except Exception as error:  # the agent is going anyway
            logger.warning("agent '%s': close() raised %s", self.agent_id, description(error))

    async def _interrupt_leftovers(self) -> None:
        """Ask calls that still run to end; a thread that sleeps or waits outside of Python cannot be ended."""
        threads = [thread for thread in (self.work, self.control, self._main_thread) if thread and thread.busy]
        if threads:
            await asyncio.sleep(0.1)
            for thread in threads:
                thread.interrupt()

    def _keep(self, coroutine: Any) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def is_async(method: Any) -> bool:
    """Whether calling it gives something to await: coroutine and asynchronous generator functions, wrapped or not."""
    function = inspect.unwrap(method.func if isinstance(method, partial) else method)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return True
    return inspect.iscoroutinefunction(type(method).__call__)  # an object with `async def __call__`


def accepted(method: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """As many of the arguments as the method takes by position."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except (TypeError, ValueError):
        return arguments
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        return arguments
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return arguments[: sum(parameter.kind in positional for parameter in parameters)]


async def gathered(function: Callable[..., Any], *arguments: Any) -> Any:
    """Await a call; collect what an asynchronous generator yields."""
    result = function(*arguments)
    if hasattr(result, "__aiter__"):
        return [item async for item in result]
    return await result


async def _within(seconds: float, future: asyncio.Future[Any]) -> bool:
    done, _ = await asyncio.wait((future,), timeout=seconds)
    if not done:
        return False
    with contextlib.suppress(CodeFailed):
        future.result()
    return True


def _nothing() -> None:
    """A call that only shows that the calls before it have ended."""
