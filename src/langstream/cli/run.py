"""`langstream run`: an application in this process, with its gateway, status and web page."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import click

from langstream.cli.options import application_options, name_of


@click.command()
@application_options
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), default=Path(".langstream"), show_default=True,
    help="Where topics, offsets and agents' state are kept.",
)  # fmt: skip
@click.option("--ephemeral", is_flag=True, help="Keep everything in memory; nothing survives the process.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--gateway-port", default=8091, show_default=True, help="Port of the gateway; 0 picks one.")
@click.option("--control-port", default=8090, show_default=True, help="Port of the web page and REST API; 0 picks one.")
@click.option("--no-ui", is_flag=True, help="Do not serve the web page.")
@click.option("--watch", is_flag=True, help="Start again when the application's files change.")
@click.option("--only-agent", metavar="ID", help="Run only the node that contains this agent.")
@click.pass_context
def run(
    ctx: click.Context,
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
    no_ui: bool,
    watch: bool,
    only_agent: str | None,
) -> None:
    """Run an application until Ctrl-C.

    Without an instance file (-i), topics live in the embedded broker under --data-dir: stop and start again, and
    every node goes on where it was. The application is ready when GET /management/health on the gateway port
    answers 200.
    """
    started = time.monotonic()
    from langstream.cli.journal import configure_logging
    from langstream.control.running import ApplicationFiles

    configure_logging(verbose=ctx.obj.verbose)
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
    from langstream.cli.process import Process

    process = Process(
        files, plan, host=host, gateway_port=gateway_port, control_port=control_port, ui=not no_ui, watch=watch
    )
    _run_until_signalled(process, started)


def _run_until_signalled(process: Process, started: float) -> None:  # type: ignore[name-defined]  # noqa: F821
    async def main() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _stop_once, stopping, loop, number)
        await process.serve(stopping, started)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main())


def _stop_once(stopping: asyncio.Event, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
    """The first signal asks for a clean stop; a second one ends the process at once."""
    stopping.set()
    loop.remove_signal_handler(number)
    signal.signal(number, signal.SIG_DFL)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # not available on every platform
        return None
    loop: type[asyncio.AbstractEventLoop] = uvloop.Loop
    return loop
