"""The files of an application: which they are, by what their names say, and their text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from langstream.application.ignore import Ignored
from langstream.application.yaml_source import MAX_BYTES, Document, read_yaml
from langstream.errors import Position, Problem

_SPECIAL: Final = ("configuration", "gateways", "archetype", "instance", "secrets")
_OPTIONS: Final = {"instance": "-i", "secrets": "-s"}


@dataclass(slots=True)
class Sources:
    """The documents of an application's directories, by kind. Files that cannot be read are missing here."""

    configuration: Document | None = None
    gateways: Document | None = None
    archetype: Document | None = None
    pipelines: list[Document] = field(default_factory=list)
    unread: frozenset[str] = frozenset()
    """Kinds of the files that could not be read at all: `configuration`, `gateways`, `archetype`, `pipelines`."""
    warnings: list[Problem] = field(default_factory=list)


def read_sources(directories: Sequence[Path], problems: list[Problem]) -> Sources:
    """Every YAML file directly in the directories that is not ignored or hidden, in order of name."""
    sources = Sources()
    seen: dict[str, str] = {}
    for directory in directories:
        for file in _yaml_files(directory, problems):
            name = file.name
            stem = file.stem if file.stem in _SPECIAL else name
            if stem in seen:
                problems.append(
                    Problem(f"There are two files for the same: '{seen[stem]}' and '{name}'.", Position(name))
                )
                continue
            seen[stem] = name
            _read(file, sources, problems)
    if not seen and directories and not problems:
        places = " and ".join(f"'{directory}'" for directory in directories)
        problems.append(
            Problem(f"There is no YAML file in {places}.", hint="Give the directory that holds the pipeline files.")
        )
    return sources


def read_file(file: Path, name: str, problems: list[Problem]) -> Document | None:
    """The document of one file; None where it cannot be read."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        problems.append(Problem(f"The file cannot be read: {error.strerror or error}.", Position(name)))
        return None
    document, found = read_yaml(content, name)
    problems.extend(found)
    return document


def _read(file: Path, sources: Sources, problems: list[Problem]) -> None:
    kind, name = file.stem, file.name
    if kind in _OPTIONS:
        problems.append(
            Problem(
                f"The file '{name}' must not be in the application's directory.",
                Position(name),
                _elsewhere(file, _OPTIONS[kind]),
            )
        )
        return
    document = read_file(file, name, problems)
    if document is not None and document.rest is not None:
        message = "The file holds a second YAML document, which is not read"
        sources.warnings.append(Problem(message, document.rest, "Put it into a file of its own."))
    if document is None:
        sources.unread |= {kind if kind in _SPECIAL else "pipelines"}
    elif kind in _SPECIAL:
        setattr(sources, kind, document)
    else:
        sources.pipelines.append(document)


def _elsewhere(file: Path, option: str) -> str:
    inner = file.parent / "application"
    if inner.is_dir():
        return f"Is the application in '{inner}'?"
    return f"Keep it elsewhere and name it with {option}."


def _yaml_files(directory: Path, problems: list[Problem]) -> list[Path]:
    try:
        ignored = Ignored.of(directory)
        files = sorted(directory.iterdir(), key=lambda file: file.name)
    except OSError as error:
        problems.append(Problem(f"The directory '{directory}' cannot be read: {error.strerror or error}."))
        return []
    return [
        file
        for file in files
        if file.suffix in (".yaml", ".yml")
        and not file.name.startswith(".")
        and file.is_file()
        and not ignored(file.name)
    ]
