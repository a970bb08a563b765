"""Options shared by commands, spelled as in the original: `-app`, `-i`, `-s`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def application_options(command: Command) -> Command:
    """`[APPLICATION_ID] -app DIR [-i FILE] [-s FILE] [--tenant NAME]`."""
    for option in (
        click.option("--tenant", default="default", show_default=True, help="Tenant the application belongs to."),
        click.option("-s", "--secrets", type=_FILE, help="Secrets file."),
        click.option("-i", "--instance", type=_FILE, help="Instance file; without one the embedded broker is used."),
        click.option(
            "-app",
            "--application",
            "directory",
            type=_DIRECTORY,
            required=True,
            help="Directory with the application's files.",
        ),
        click.argument("application_id", required=False),
    ):
        command = option(command)
    return command


def name_of(directory: Path, application_id: str | None) -> str:
    """The application id: as given, else the directory's name (its parent's, if it is called `application`)."""
    if application_id:
        return application_id
    resolved = directory.resolve()
    return resolved.parent.name if resolved.name == "application" else resolved.name


def pairs(values: tuple[str, ...], option: str) -> dict[str, str]:
    """`k=v` texts as a dict. Raises a usage error for a text without `=`."""
    result: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint=option)
        result[name] = value
    return result
