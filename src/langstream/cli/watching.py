"""`langstream run --watch`: changed files are put into effect while the application runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

from langstream.control.files import ApplicationFiles
from langstream.control.running import RunningApplication
from langstream.errors import ApplicationRefused, LangStreamError

log = logging.getLogger("langstream.run")

_CODE = "python"
_OURS = (".yaml", ".yml")


async def follow_changes(files: ApplicationFiles, running: RunningApplication, ready: asyncio.Event) -> None:
    """Watch the application's files until cancelled. Changes are put into effect once the application is `ready`."""
    from watchfiles import awatch

    watched = [path for path in (files.directory, files.instance, files.secrets) if path]
    async for changes in awatch(*watched):
        changed = relevant(files, (Path(path) for _, path in changes))
        if changed:
            await ready.wait()
            await _apply(files, running, changed)


def relevant(files: ApplicationFiles, paths: Iterable[Path]) -> list[Path]:
    """The files that make a difference: YAML files, and whatever is below `python`; never what a run itself writes."""
    directory = files.directory.resolve()
    data = files.data_directory.resolve() if files.data_directory else None
    named = {path.resolve() for path in (files.instance, files.secrets) if path}
    found = []
    for path in sorted({path.resolve() for path in paths}):
        if path in named:
            found.append(path)
        elif (data and path.is_relative_to(data)) or not path.is_relative_to(directory):
            continue
        elif _is_code(directory, path) or (path.parent == directory and path.suffix in _OURS):
            found.append(path)
    return found


def _is_code(directory: Path, path: Path) -> bool:
    parts = path.relative_to(directory).parts
    hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
    return parts[0] == _CODE and not hidden and path.suffix != ".pyc"


async def _apply(files: ApplicationFiles, running: RunningApplication, changed: list[Path]) -> None:
    """Put changed files into effect; a refused application leaves the running one as it is."""
    names = ", ".join(path.name for path in changed)
    try:
        if all(_is_code(files.directory.resolve(), path) for path in changed if _inside(files, path)) and all(
            _inside(files, path) for path in changed
        ):
            log.info("code changed: %s; starting the nodes again", names)
            await running.reload_code()
        else:
            log.info("files changed: %s", names)
            plan = files.plan()
            for warning in plan.warnings:
                log.warning("%s", warning)
            await running.replace(plan)
        log.info("the change is in effect")
    except ApplicationRefused as refused:
        log.error("the changed application is refused; the former one goes on:\n%s", refused)  # noqa: TRY400
    except LangStreamError as error:
        log.error("the change could not be put into effect; the former application goes on: %s", error)  # noqa: TRY400
    except Exception:
        log.exception("the change could not be put into effect; the former application goes on")


def _inside(files: ApplicationFiles, path: Path) -> bool:
    return path.is_relative_to(files.directory.resolve())
