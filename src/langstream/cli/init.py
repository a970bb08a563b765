"""`langstream init`: a starter application that runs at once."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

_STARTER = files("langstream.cli") / "starter"
_FILES = (
    "application/pipeline.yaml",
    "application/gateways.yaml",
    "application/python/greeting.py",
    "instance.yaml",
    "secrets.yaml",
    ".gitignore",
)


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite files that exist.")
def init(directory: Path, force: bool) -> None:
    """Write a starter application to DIRECTORY: a pipeline with an agent in Python, and gateways to talk to it."""
    present = [name for name in _FILES if (directory / name).exists()]
    if present and not force:
        raise click.UsageError(f"{directory} already has {', '.join(present)}; use --force to overwrite")
    for name in _FILES:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            (_STARTER / name.replace(".gitignore", "gitignore")).read_text(encoding="utf-8"), encoding="utf-8"
        )
    click.echo(
        f"{directory} has a starter application. Run it, then talk to it from another terminal:\n\n"
        f"  langstream run {directory.resolve().name} -app {directory / 'application'} --watch\n"
        f"  langstream gateway chat {directory.resolve().name} -g chat\n"
    )
