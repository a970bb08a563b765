"""`.langstreamignore`: which files of an application's directory are not part of the application.

The rules are those of gitignore: blank lines and `#` comments are skipped, `!` takes a file back, the last matching
rule wins, a trailing `/` means directories only, a `/` elsewhere ties the pattern to the root, and nothing below an
ignored directory is looked at. Patterns know `*`, `?`, `[…]`, `{a,b}` and `**`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FILE_NAME: Final = ".langstreamignore"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the file."""

    pattern: re.Pattern[str]
    negated: bool
    directories_only: bool


class Ignored:
    """Decides about paths relative to the root, written with `/`."""

    def __init__(self, text: str = "") -> None:
        self._rules = tuple(rule for line in text.splitlines() if (rule := _rule(line)) is not None)

    @classmethod
    def of(cls, directory: Path) -> Ignored:
        """The rules of a directory; without the file nothing is ignored."""
        file = directory / FILE_NAME
        return cls(file.read_text("utf-8-sig", errors="replace")) if file.is_file() else cls()

    def __call__(self, path: str, *, directory: bool = False) -> bool:
        """Whether the last rule that matches ignores the path."""
        for rule in reversed(self._rules):
            if (directory or not rule.directories_only) and rule.pattern.fullmatch(path):
                return not rule.negated
        return False


def files_of(directory: Path, ignored: Ignored) -> Iterator[str]:
    """The files of a directory that are not ignored, relative, depth first, siblings sorted by name.

    Links to directories are not followed, so a link can neither leave the application nor run in circles.
    """
    yield from _below(directory, "", ignored)


def _below(root: Path, prefix: str, ignored: Ignored) -> Iterator[str]:
    with os.scandir(root / prefix) as scan:
        entries = sorted(scan, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{prefix}{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if not ignored(path, directory=True):
                yield from _below(root, f"{path}/", ignored)
        elif entry.is_file() and not ignored(path):
            yield path


def _rule(line: str) -> Rule | None:
    text = _without_trailing_blanks(line)
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text[1:] if negated else text
    if text.startswith(("\\#", "\\!")):
        text = text[1:]
    directories_only = text.endswith("/")
    text = text.rstrip("/") if directories_only else text
    anchored = "/" in text and not text.startswith("**/")
    text = text.removeprefix("**/").removeprefix("/")
    if not text or "***" in text:
        return None
    try:
        pattern = re.compile(("" if anchored else "(?:.*/)?") + _expression(text), re.DOTALL)
    except re.error:
        return None
    return Rule(pattern, negated, directories_only)


def _without_trailing_blanks(line: str) -> str:
    text = line.rstrip(" \t\r")
    return f"{text[:-1]} " if text.endswith("\\") and text != line else text


def _expression(glob: str) -> str:
    """The regular expression of a glob."""
    result, index, depth = [], 0, 0
    while index < len(glob):
        char = glob[index]
        if glob.startswith("**/", index):
            result.append("(?:.*/)?")
            index += 2
        elif glob.startswith("**", index):
            result.append(".*")
            index += 1
        elif char == "*":
            result.append("[^/]*")
        elif char == "?":
            result.append("[^/]")
        elif char == "[" and (end := glob.find("]", index + 2)) > 0:
            body = glob[index + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            result.append(f"[^{body[1:]}]" if body.startswith("!") else f"[{body}]")
            index = end
        elif char == "{" and "}" in glob[index:]:
            depth += 1
            result.append("(?:")
        elif char in "}," and depth:
            depth -= char == "}"
            result.append(")" if char == "}" else "|")
        elif char == "\\" and index + 1 < len(glob):
            index += 1
            result.append(re.escape(glob[index]))
        else:
            result.append(re.escape(char))
        index += 1
    return "".join(result)
