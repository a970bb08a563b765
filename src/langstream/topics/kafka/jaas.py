"""Java's way of writing credentials: `org.example.LoginModule required username="u" password="p";`"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_ENTRY: Final = re.compile(r"\s*(?P<module>[\w.$]+)\s+(?:required|requisite|sufficient|optional)\b", re.IGNORECASE)
_OPTION: Final = re.compile(
    r"""\s*(?P<name>[\w.\-]+)\s*=\s*(?:"(?P<double>(?:[^"\\]|\\.)*)"|'(?P<single>(?:[^'\\]|\\.)*)'|(?P<bare>[^\s;"']+))""",
    re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class JaasEntry:
    """A login module and its options. Options hold passwords and stay out of representations."""

    module: str
    options: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        """The class without its package."""
        return self.module.rpartition(".")[2]


def parse_jaas(text: str) -> JaasEntry:
    """The entry of a `sasl.jaas.config`. Raises ValueError, never quoting the text."""
    head = _ENTRY.match(text)
    if head is None:
        raise ValueError(
            "expected a login module, 'required' and options, such as: ...LoginModule required user=\"u\";"
        )
    options: dict[str, str] = {}
    place = head.end()
    while option := _OPTION.match(text, place):
        quoted = option["double"] if option["double"] is not None else option["single"]
        options[option["name"]] = option["bare"] if quoted is None else _ESCAPE.sub(r"\1", quoted)
        place = option.end()
    rest = text[place:].strip()
    if rest not in ("", ";"):
        after = f" after the option '{list(options)[-1]}'" if options else ""
        raise ValueError(f'options are written name="value" with a semicolon at the end; the text{after} is not')
    return JaasEntry(head["module"], options)
