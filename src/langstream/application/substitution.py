"""What the instance and secrets files take from this machine: environment variables and the content of files.

`${NAME}` and `${NAME:-default}` are replaced from the environment, `<file:path>` by the content of a file beside the
YAML file: text as it is, everything else as `base64:…`. A name that is not set and has no default stays, for it may be
`${globals.x}`. What was put in is not looked at again, so a secret may hold any characters.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from langstream.configuration.validation import Locator, Path
from langstream.errors import Problem

_MARKER: Final = re.compile(r"\$\{(?P<name>[^{}:]+)(?::-(?P<default>[^{}]*))?\}|<file:(?P<file>[^<>]+)>")
_TEXT_ENDINGS: Final = ("txt", "yaml", "yml", "json", "text")
MAX_FILE_BYTES: Final = 16 * 1024 * 1024
"""Certificates and credentials are small; a larger file is a mistake."""


class _Unreadable(Exception):
    pass


def substitute(
    value: Any,
    *,
    environment: Mapping[str, str],
    directory: FilePath,
    problems: list[Problem],
    locate: Locator,
    path: Path = (),
) -> Any:
    """A copy of the value with environment and files put in. Files that cannot be read are added to `problems`."""

    def inner(item: Any, at: Path) -> Any:
        if isinstance(item, str):
            try:
                return _substituted(item, environment, directory)
            except _Unreadable as failure:
                problems.append(Problem(str(failure), locate(at)))
                return item
        if isinstance(item, Mapping):
            return {key: inner(member, (*at, key)) for key, member in item.items()}
        return [inner(member, (*at, index)) for index, member in enumerate(item)] if isinstance(item, list) else item

    return inner(value, path)


def _substituted(text: str, environment: Mapping[str, str], directory: FilePath) -> str:
    if "${" not in text and "<file:" not in text:
        return text

    def replacement(match: re.Match[str]) -> str:
        if match["file"] is not None:
            name = _MARKER.sub(lambda inner: _variable(inner, environment), match["file"]).strip()
            return _content(directory / name, name)
        return _variable(match, environment)

    return _MARKER.sub(replacement, text)


def _variable(match: re.Match[str], environment: Mapping[str, str]) -> str:
    found: str | None = environment.get((match["name"] or "").strip(), match["default"])
    return match[0] if found is None else found


def _content(file: FilePath, name: str) -> str:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise _Unreadable(f"The file '{name}' is too large: at most {MAX_FILE_BYTES:,} bytes are put in.")
        content = file.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _Unreadable(f"The file '{name}' cannot be read: {reason}. It is looked for beside this file.") from None
    if not name.lower().endswith(_TEXT_ENDINGS):
        return "base64:" + base64.b64encode(content).decode("ascii")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _Unreadable(f"The file '{name}' should be text, but it is not UTF-8.") from None
