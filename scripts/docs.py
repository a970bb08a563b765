"""Writes the generated pages of `docs/` (reference, command line) and builds the site; `--check` only compares."""

from __future__ import annotations

import argparse
import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from langstream.cli import reference
from langstream.cli.main import root

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def main() -> None:
    """Exit status 1 if a page is not up to date or the site has a broken link."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        pages = [*reference.write_pages(made / "reference"), _command_line(made)]
        stale = [page.relative_to(made) for page in pages if not _same(page, DOCS / page.relative_to(made))]
        written = {page.relative_to(made) for page in pages}
        orphans = [
            path.relative_to(DOCS) for path in DOCS.glob("reference/**/*.md") if path.relative_to(DOCS) not in written
        ]
        if check and (stale or orphans):
            names = ", ".join(str(path) for path in [*stale, *orphans])
            sys.exit(f"generated pages are not up to date: {names}. Run python scripts/docs.py")
        for path in orphans:
            (DOCS / path).unlink()
        for path in stale:
            (DOCS / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(made / path, DOCS / path)
            print(f"wrote docs/{path}")
    zensical = str(Path(sys.executable).parent / "zensical")
    subprocess.run([zensical, "build", "--strict", "--clean"], cwd=ROOT, check=True)


def _same(made: Path, kept: Path) -> bool:
    return kept.exists() and filecmp.cmp(made, kept, shallow=False)


def _command_line(directory: Path) -> Path:
    sections = ["# Command line\n\nThis page is made from the commands' own help.\n"]
    with click.Context(root, info_name="langstream") as context:
        sections += _sections(root, context)
    path = directory / "command-line.md"
    path.write_text("\n".join(sections), encoding="utf-8")
    return path


def _sections(command: click.Command, context: click.Context) -> list[str]:
    context.max_content_width = 100
    context.terminal_width = 100
    sections = [f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            with click.Context(child, info_name=name, parent=context) as inner:
                sections += _sections(child, inner)
    return sections


if __name__ == "__main__":
    main()
