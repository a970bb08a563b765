"""Keeping secrets out of messages: whatever came from the secrets file is blacked out, wherever it went."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from langstream.errors import Problem

HIDDEN: Final = "<secret>"
_SHORTEST: Final = 3
"""Shorter values would black out parts of words, and are no secrets."""


class Redaction:
    """Blacks out the values of one secrets file."""

    def __init__(self, secrets: Mapping[str, Mapping[str, Any]]) -> None:
        texts = sorted({text for text in _texts(secrets) if len(text) >= _SHORTEST}, key=len, reverse=True)
        self._pattern = re.compile("|".join(rf"(?<!\w){re.escape(text)}(?!\w)" for text in texts)) if texts else None

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def problems(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems without secrets in their messages and hints."""
        return [
            replace(problem, message=self.text(problem.message), hint=problem.hint and self.text(problem.hint))
            for problem in problems
        ]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
        yield from (line for line in value.splitlines() if line != value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
