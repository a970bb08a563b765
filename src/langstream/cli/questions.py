"""Lines of standard input for an event loop: a waiting read never keeps the process from ending."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable

import click

_PROMPT = "> "


async def questions() -> AsyncIterator[str]:
    """The lines of standard input, up to its end; on a terminal each is prompted for."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def put(line: str | None) -> None:
        try:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        except RuntimeError:  # the loop is closed: nobody asks any more
            raise SystemExit from None

    # a daemon, and no lock of Python's held while it waits: Ctrl-C ends the process at once
    threading.Thread(target=_read, args=(put,), name="standard input", daemon=True).start()
    interactive = sys.stdin.isatty()
    while True:
        if interactive:
            click.secho(_PROMPT, fg="cyan", nl=False, err=True)
        line = await lines.get()
        if line is None:
            return
        yield line


def _read(put: Callable[[str | None], None]) -> None:
    try:
        descriptor = sys.stdin.fileno()
    except (OSError, ValueError):  # replaced by something that is no file
        for line in sys.stdin:
            put(line.rstrip("\r\n"))
        put(None)
        return
    rest = b""
    while chunk := os.read(descriptor, 1 << 16):
        *complete, rest = (rest + chunk).split(b"\n")
        for line in complete:
            put(line.decode("utf-8", "replace").rstrip("\r"))
    if rest:
        put(rest.decode("utf-8", "replace"))
    put(None)
