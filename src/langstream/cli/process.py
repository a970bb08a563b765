"""The process behind `langstream run`: application, gateway, web page, status lines, watcher."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from langstream.application.model import Gateway, GatewayType
from langstream.cli.status import StatusLines
from langstream.control.running import ApplicationFiles, RunningApplication
from langstream.errors import ApplicationRefused
from langstream.gateway.server import GatewaySettings, Server, create_gateway, serve
from langstream.planner.plan import ExecutionPlan

log = logging.getLogger("langstream.run")


class Process:
    """Serves one application until told to stop."""

    def __init__(
        self,
        files: ApplicationFiles,
        plan: ExecutionPlan,
        *,
        host: str,
        gateway_port: int,
        control_port: int,
        ui: bool,
        watch: bool,
    ) -> None:
        self._files = files
        self._metrics = CollectorRegistry()
        self._running = RunningApplication(files, plan, self._metrics)
        self._host = host
        self._gateway_port = gateway_port
        self._control_port = control_port
        self._ui = ui
        self._watch = watch

    async def serve(self, stopping: asyncio.Event, started: float) -> None:
        """Start everything, wait for `stopping`, stop everything in reverse. `started` is when the command began."""
        running = self._running
        async with AsyncExitStack() as stack:
            stack.push_async_callback(running.stop)
            await running.start()
            gateway = await self._serve_gateway(stack)
            control = await self._serve_control(stack, gateway.port)
            self._announce(gateway, control, time.monotonic() - started)
            tasks = [asyncio.create_task(StatusLines(running).show())]
            if self._watch:
                tasks.append(asyncio.create_task(self._follow_changes()))
            await stopping.wait()
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            click.echo("Stopping …", err=True)
        click.echo("Stopped.", err=True)

    async def _serve_gateway(self, stack: AsyncExitStack) -> Server:
        app = create_gateway(self._running, GatewaySettings(), registry=self._metrics, healthy=self._running.healthy)
        server = await serve(app, self._host, self._gateway_port)
        stack.push_async_callback(server.stop)
        return server

    async def _serve_control(self, stack: AsyncExitStack, gateway_port: int) -> Server:
        from starlette.applications import Starlette

        from langstream.control import api

        routes = list(api.routes(self._running))
        if self._ui:
            from langstream.ui.page import routes as page_routes

            routes += page_routes(self._files.tenant, self._files.application_id, gateway_port)
        server = await serve(Starlette(routes=routes), self._host, self._control_port)
        stack.push_async_callback(server.stop)
        return server

    async def _follow_changes(self) -> None:
        from watchfiles import awatch

        watched = [path for path in (self._files.directory, self._files.instance, self._files.secrets) if path]
        async for changes in awatch(*watched):
            paths = [Path(path) for _, path in changes]
            if all("__pycache__" in path.parts for path in paths):
                continue
            await self._apply(paths)

    async def _apply(self, paths: list[Path]) -> None:
        """Put changed files into effect; a refused application leaves the running one as it is."""
        code_only = all("python" in path.parts for path in paths)
        try:
            if code_only:
                log.info("code changed: %s; starting the nodes again", ", ".join(sorted({p.name for p in paths})))
                await self._running.reload_code()
            else:
                log.info("files changed: %s", ", ".join(sorted({p.name for p in paths})))
                await self._running.replace(self._files.plan())
        except ApplicationRefused as refused:
            log.error("the changed application is refused; the former one goes on:\n%s", refused)  # noqa: TRY400
        except Exception:
            log.exception("the change could not be put into effect")

    def _announce(self, gateway: Server, control: Server, seconds: float) -> None:
        plan = self._running.plan
        out = [f"{plan.application_id} is running (ready in {seconds:.1f} s). Ctrl-C stops it.", ""]
        if self._ui:
            out.append(f"  page      http://{_reachable(self._host)}:{control.port}/")
        out.append(f"  health    http://{_reachable(self._host)}:{gateway.port}/management/health")
        out.append(f"  metrics   http://{_reachable(self._host)}:{gateway.port}/management/prometheus")
        out += [line for each in plan.application.gateways for line in self._gateway_lines(each, gateway.port)]
        click.echo("\n".join(out), file=sys.stdout)
        sys.stdout.flush()

    def _gateway_lines(self, gateway: Gateway, port: int) -> list[str]:
        plan = self._running.plan
        where = f"{_reachable(self._host)}:{port}"
        path = f"{gateway.type.value}/{plan.tenant}/{plan.application_id}/{gateway.id}"
        query = "?" + "&".join(f"param:{name}=…" for name in gateway.parameters) if gateway.parameters else ""
        if gateway.type is GatewayType.SERVICE:
            return [f"  {gateway.type.value:<8}  http://{where}/api/gateways/{path}{query}"]
        lines = [f"  {gateway.type.value:<8}  ws://{where}/v1/{path}{query}"]
        if gateway.type is GatewayType.CHAT:
            option = "" if port == 8091 else f" --url ws://{where}"
            lines.append(f"            langstream gateway chat {plan.application_id} -g {gateway.id}{option}")
        return lines


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 — compared, not bound
