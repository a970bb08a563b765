"""What goes wrong in user code: made into exceptions that harm nobody else, told once with the user's own frames."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from types import TracebackType

from langstream.errors import RecordError

logger = logging.getLogger(__name__)

MAX_REMEMBERED_PLACES = 200
"""Failures are logged with their traceback once per place in the code; this bounds the memory of places."""


def harmless(error: BaseException, where: str) -> Exception:
    """The error as an outcome. Exceptions stay what they are; attempts to end the process become record errors."""
    if isinstance(error, SystemExit):
        return RecordError(f"{where} called sys.exit({error.code if error.code is not None else ''})")
    if not isinstance(error, Exception) or isinstance(error, StopIteration | StopAsyncIteration):
        # Such exceptions mean something to event loops and generators; they must not travel on.
        return RecordError(f"{where} raised {description(error)}")
    try:
        str(error)
    except Exception:  # the exception class of a stranger
        return RecordError(f"{where} raised {type(error).__name__}, whose text cannot be read")
    return error


def description(error: BaseException) -> str:
    """Type and message on one line."""
    try:
        message = str(error)
    except Exception:  # the exception class of a stranger
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def place(error: BaseException, root: Path | None) -> str | None:
    """`python/feed.py, line 3`: the innermost place of the application's code, or None."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename, root)}, line {error.lineno}"
    frames = user_frames(error.__traceback__, root)
    return f"{_shown(frames[-1].filename, root)}, line {frames[-1].lineno}" if frames else None


def user_frames(trace: TracebackType | None, root: Path | None) -> list[traceback.FrameSummary]:
    """The frames inside the application's `python` folder."""
    if root is None:
        return []
    folder = str(root / "python") + "/"
    return [frame for frame in traceback.extract_tb(trace) if frame.filename.startswith(folder)]


def _shown(filename: str, root: Path | None) -> str:
    try:
        return Path(filename).relative_to(root).as_posix() if root else filename
    except ValueError:
        return filename


class FailureLog:
    """Logs failures of one agent: the traceback the first time a place fails, nothing after that.

    What becomes of each record is the runtime's to tell; this adds what an author needs to mend the code.
    """

    def __init__(self, agent_id: str, root: Path | None) -> None:
        self._agent_id = agent_id
        self._root = root
        self._seen: set[tuple[str, str | None]] = set()

    def report(self, error: BaseException, where: str) -> None:
        """Log the error, unless the same kind was logged for the same place."""
        spot = place(error, self._root)
        kind = (type(error).__name__, spot)
        if kind in self._seen or len(self._seen) >= MAX_REMEMBERED_PLACES:
            return
        self._seen.add(kind)
        frames = user_frames(error.__traceback__, self._root) or traceback.extract_tb(error.__traceback__)[-5:]
        trace = "".join(traceback.format_list(frames)).rstrip()
        logger.error(
            "agent '%s': %s raised %s (the traceback is shown once)\n%s",
            self._agent_id,
            where,
            description(error),
            trace,
        )
