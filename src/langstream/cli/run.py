"""`langstream run`: an application in this process, with its gateway, status and web page."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from langstream.cli.options import application_options, name_of

if TYPE_CHECKING:
    from langstream.cli.process import Process
    from langstream.control.files import ApplicationFiles
    from langstream.gateway.settings import GatewaySettings
    from langstream.planner.plan import ExecutionPlan

_PORT = click.IntRange(0, 65535)
_LINGER_SECONDS = 5.0
"""An agent's thread that never returns keeps a stopped process no longer than this."""


@click.command()
@application_options
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), default=Path(".langstream"), show_default=True,
    help="Where topics, offsets and agents' state are kept.",
)  # fmt: skip
@click.option("--ephemeral", is_flag=True, help="Keep everything in memory; nothing survives the process.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option(
    "--gateway-port",
    type=_PORT,
    metavar="PORT",
    default=8091,
    show_default=True,
    help="Port of the gateway; 0 picks one.",
)
@click.option(
    "--control-port",
    type=_PORT,
    metavar="PORT",
    default=8090,
    show_default=True,
    help="Port of the web page and REST API; 0 picks one.",
)
@click.option(
    "--gateway-settings", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Settings of the gateway: limits, origins, test mode (see docs/gateways.md).",
)  # fmt: skip
@click.option("--no-ui", is_flag=True, help="Do not serve the web page.")
@click.option("--watch", is_flag=True, help="Put changes of the application's files into effect.")
@click.option("--only-agent", metavar="ID", help="Run only the node that contains this agent.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    application_id: str | None,
    directory: Path,
    instance: Path | None,
    secrets: Path | None,
    tenant: str,
    data_dir: Path,
    ephemeral: bool,
    host: str,
    gateway_port: int,
    control_port: int,
    gateway_settings: Path | None,
    no_ui: bool,
    watch: bool,
    only_agent: str | None,
) -> None:
    """Run an application until Ctrl-C.

    Without an instance file (-i), topics live in the embedded broker under --data-dir: stop and start again, and
    everything goes on where it was. The gateway answers GET /management/health with 200 when all is ready.

    \b
    Examples:
      langstream run -app my-app/application
      langstream run my-app -app my-app/application -i instance.yaml -s secrets.yaml
      langstream run -app my-app/application --ephemeral --watch
    """
    started = time.monotonic()
    from langstream.cli.descriptors import allow_many_connections
    from langstream.cli.failure import warn
    from langstream.cli.journal import configure_logging
    from langstream.control.files import ApplicationFiles

    configure_logging(verbose=ctx.obj.verbose)
    allow_many_connections()
    files = ApplicationFiles(
        application_id=name_of(directory, application_id),
        directory=directory,
        instance=instance,
        secrets=secrets,
        tenant=tenant,
        data_directory=None if ephemeral else data_dir,
        only_agent=only_agent,
    )
    plan = files.plan()
    warn(plan.warnings)
    settings = _gateway_settings(gateway_settings)
    from langstream.cli.process import Listening, Process

    listening = Listening(host, gateway_port, control_port, not no_ui, settings)
    process = Process(files, plan, listening, watch=watch)
    _warn_of_openness(host)
    with ExitStack() as stack:
        _take_lease(files, plan, stack)
        _run_until_signalled(process, started)


def _gateway_settings(file: Path | None) -> GatewaySettings:
    if file is None:
        from langstream.gateway.settings import GatewaySettings

        return GatewaySettings()
    from langstream.control.gateway_settings import load_gateway_settings

    return load_gateway_settings(file)


def _warn_of_openness(host: str) -> None:
    if host in ("localhost", "::1") or host.startswith("127."):
        return
    click.secho(
        f"Warning: listening on {host}. Everyone who can reach this machine can use the page, the REST API and "
        "every gateway without authentication.",
        fg="yellow",
        err=True,
    )


def _take_lease(files: ApplicationFiles, plan: ExecutionPlan, stack: ExitStack) -> None:
    """Say so if the application already runs on this data directory; the processes share its work."""
    if files.data_directory is None:
        return
    from langstream.control.lease import Lease

    lease = Lease(files.data_directory, files.application_id)
    other = lease.take()
    stack.callback(lease.release)
    if other is None:
        return
    click.secho(
        f"Warning: {files.application_id} already runs on {files.data_directory} (process {other}); "
        "the two share its records like replicas.",
        fg="yellow",
        err=True,
    )
    kept = sorted({agent for node in plan.nodes for agent in node.disks})
    if kept:
        click.secho(f"Warning: both keep the state of {', '.join(kept)} in one place.", fg="yellow", err=True)


def _run_until_signalled(process: Process, started: float) -> None:
    async def main() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _stop_once, stopping, loop)
        await process.serve(stopping, started)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        status = 1
        try:
            runner.run(main())
            status = 0
        finally:
            _end_whatever_lingers(status)


def _stop_once(stopping: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    """The first signal asks for a clean stop; a second one ends the process at once."""
    stopping.set()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)


def _end_whatever_lingers(status: int) -> None:
    """Everything is stopped and committed: threads that agents left behind must not keep the process."""

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)

    timer = threading.Timer(_LINGER_SECONDS, end)
    timer.daemon = True
    timer.start()


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not available on every platform
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
