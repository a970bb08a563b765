"""How errors reach people: on standard error, every problem on its own line, no stack trace unless asked for."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from langstream.errors import ApplicationRefused, LangStreamError, Problem


class Refusal(LangStreamError):
    """The command cannot do what was asked; the text says why, and what to do."""


class UnknownName(Refusal):
    """Nothing has the name that was asked for; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(f"{message}. {hint}")


def report(error: BaseException, *, debug: bool = False) -> None:
    """Print the error; with `debug` also where it was raised."""
    if debug:
        import traceback

        traceback.print_exception(error)
    if isinstance(error, ApplicationRefused):
        count = len(error.problems)
        click.secho(f"The application is refused: {count} problem{'s' if count != 1 else ''}.", fg="red", err=True)
        for problem in error.problems:
            click.echo(f"  {problem}", err=True)
    elif isinstance(error, LangStreamError | OSError):
        click.secho(f"Error: {_sentence(error)}", fg="red", err=True)
    else:
        click.secho(f"Unexpected {type(error).__name__}: {error}", fg="red", err=True)
        if not debug:
            click.echo("Run again with --debug before the command to see where it comes from.", err=True)
    sys.stderr.flush()


def warn(warnings: Iterable[Problem]) -> None:
    """Print what is allowed but probably not meant."""
    for warning in warnings:
        click.echo(f"{click.style('Warning:', fg='yellow')} {warning}", err=True)


def _sentence(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text if text.endswith((".", "!", "?", ")", "]")) else f"{text}."
