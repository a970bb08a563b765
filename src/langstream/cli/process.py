"""The process behind `langstream run`: application, gateway, web page, status lines, watcher."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace

import click
from prometheus_client import CollectorRegistry

from langstream.cli.announcement import announcement, reachable
from langstream.cli.failure import Refusal
from langstream.cli.status import StatusLines
from langstream.control.files import ApplicationFiles
from langstream.control.running import RunningApplication
from langstream.gateway.server import GatewaySettings, Server, create_gateway, serve
from langstream.planner.plan import ExecutionPlan
from langstream.runtime.traces import open_traces


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the process listens, and what it serves besides the gateway."""

    host: str
    gateway_port: int
    control_port: int
    ui: bool
    settings: GatewaySettings


class Process:
    """Serves one application until told to stop."""

    def __init__(self, files: ApplicationFiles, plan: ExecutionPlan, listening: Listening, *, watch: bool) -> None:
        self._files = files
        self._metrics = CollectorRegistry()
        self._listening = listening
        _require_free(listening.host, (listening.gateway_port, listening.control_port))
        self._running = RunningApplication(files, plan, self._metrics, open_traces())
        self._watch = watch

    async def serve(self, stopping: asyncio.Event, started: float) -> None:
        """Start everything, wait for `stopping`, stop everything in reverse. `started` is when the command began.

        A failure to start is raised after what was started has been stopped.
        """
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._running.stop)
            stop = asyncio.create_task(stopping.wait())
            work = asyncio.create_task(self._run(stack, started))
            await asyncio.wait([stop, work], return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
            click.echo("Stopping …", err=True)
        click.echo("Stopped.", err=True)

    async def _run(self, stack: AsyncExitStack, started: float) -> None:
        ready = asyncio.Event()
        tasks = []
        if self._watch:  # from the beginning: what changes while the application starts must not be missed
            from langstream.cli.watching import follow_changes

            tasks.append(asyncio.create_task(follow_changes(self._files, self._running, ready)))
            stack.callback(tasks[0].cancel)
        await self._running.start()
        gateway = await self._serve_gateway(stack)
        control = await self._serve_control(stack, gateway.port)
        seconds = time.monotonic() - started
        self._announce(gateway.port, control.port, seconds)
        ready.set()
        await asyncio.gather(StatusLines(self._running).show(), *tasks)
        await asyncio.Event().wait()

    async def _serve_gateway(self, stack: AsyncExitStack) -> Server:
        settings = _open_to_the_page(self._listening)
        app = create_gateway(self._running, settings, registry=self._metrics, healthy=self._running.healthy)
        server = await serve(app, self._listening.host, self._listening.gateway_port)
        stack.push_async_callback(server.stop)
        return server

    async def _serve_control(self, stack: AsyncExitStack, gateway_port: int) -> Server:
        from starlette.applications import Starlette

        from langstream.control import api

        routes = list(api.routes(self._running))
        if self._listening.ui:
            from langstream.ui.page import routes as page_routes

            routes += page_routes(self._files.tenant, self._files.application_id, gateway_port)
        server = await serve(Starlette(routes=routes), self._listening.host, self._listening.control_port)
        stack.push_async_callback(server.stop)
        return server

    def _announce(self, gateway_port: int, control_port: int, seconds: float) -> None:
        listening = self._listening
        text = announcement(
            self._running.plan,
            seconds,
            host=listening.host,
            gateway_port=gateway_port,
            control_port=control_port,
            ui=listening.ui,
        )
        click.echo(text)
        sys.stdout.flush()


def _open_to_the_page(listening: Listening) -> GatewaySettings:
    """Where pages of other origins are kept out, the application's own page is let in all the same."""
    settings = listening.settings
    if not listening.ui or not listening.control_port or "*" in settings.cors_origins:
        return settings
    hosts = dict.fromkeys((reachable(listening.host), "127.0.0.1", "localhost"))
    own = tuple(f"http://{host}:{listening.control_port}" for host in hosts)
    return replace(settings, cors_origins=(*settings.cors_origins, *own))


def _require_free(host: str, ports: Sequence[int]) -> None:
    """Raises Refusal for a port in use: told before anything of the application was started."""
    given = [port for port in ports if port]
    if len(set(given)) != len(given):
        raise Refusal(f"the gateway and the page cannot share port {given[0]}: give another --control-port")
    for port in given:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                option = "--gateway-port" if port == ports[0] else "--control-port"
                raise Refusal(
                    f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}. Choose another "
                    f"{option} (0 picks a free one), or stop what uses it"
                ) from None
