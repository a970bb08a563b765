"""`langstream docs`: the reference of agents, resources and assets in the terminal, or as files."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.argument("name", required=False)
@click.option(
    "--write", type=click.Path(file_okay=False, path_type=Path), help="Write the reference pages to a directory."
)
def docs(name: str | None, write: Path | None) -> None:
    """Reference of an agent type, resource, asset or store; without NAME, the list of all.

    Everything shown is taken from the declarations that also validate applications.

    \b
    Examples:
      langstream docs
      langstream docs ai-chat-completions
    """
    from langstream.cli import reference

    if write is not None:
        for path in reference.write_pages(write):
            click.echo(f"wrote {path}")
        return
    if not name:
        click.echo(reference.index())
    elif sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(reference.page(name)))
    else:
        click.echo(reference.page(name))
