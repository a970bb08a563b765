"""Logging of commands: one line per event on standard error, times in local time, levels in colour on a terminal."""

from __future__ import annotations

import logging
import sys

_COLOURS = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m", logging.CRITICAL: "\x1b[31;1m"}


class _Lines(logging.Formatter):
    def __init__(self, *, colours: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", datefmt="%H:%M:%S")
        self._colours = colours

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        colour = _COLOURS.get(record.levelno) if self._colours else None
        return f"{colour}{line}\x1b[0m" if colour else line


class _StandardError(logging.Handler):
    """Writes to what `sys.stderr` is at the time: status lines on a terminal put themselves in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def _is_news(record: logging.LogRecord) -> bool:
    """The server takes a handshake that was refused, and answered, for one that was forgotten."""
    return "returned without completing handshake" not in record.getMessage()


def configure_logging(*, verbose: bool) -> None:
    """Log LangStream and the application's own agents at INFO (DEBUG when verbose), libraries at WARNING."""
    handler = _StandardError()
    handler.setFormatter(_Lines(colours=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("langstream").setLevel(logging.DEBUG if verbose else logging.INFO)
    for library in ("aiohttp", "asyncio", "uvicorn", "websockets", "watchfiles", "httpx", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").addFilter(_is_news)
