"""Scalars of YAML: the value that a plain text stands for.

The core of YAML 1.2 with the booleans of YAML 1.1 (`yes`, `off`, …). Dates stay text, and so do numbers with leading
zeros: postal codes and identifiers keep them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_BOOLEANS: Final[Mapping[str, bool]] = {
    spelling: value
    for word, value in {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.items()
    for spelling in (word, word.capitalize(), word.upper())
}
_NULLS: Final = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
_OTHER_BASE: Final = re.compile(r"0x[0-9a-fA-F]+\Z|0o[0-7]+\Z|0b[01]+\Z")
_FLOAT: Final = re.compile(
    r"[-+]?(?:[0-9][0-9_]*)?\.?[0-9]+(?:[eE][-+]?[0-9]+)?\Z|[-+]?[0-9][0-9_]*\.(?:[eE][-+]?[0-9]+)?\Z"
)
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9_]")
_SPECIAL: Final[Mapping[str, float]] = {
    f"{sign}.{word}": float(f"{sign}{word}") for sign in ("", "-", "+") for word in ("inf", "Inf", "INF")
} | {f".{word}": float("nan") for word in ("nan", "NaN", "NAN")}
_MAX_DIGITS: Final = 400  # turning longer digits into a number takes time that grows with their square
_KINDS: Final = {"!!int": int, "!!float": float, "!!bool": bool, "!!null": type(None)}


def scalar_value(text: str, tag: str | None, *, plain: bool) -> Any:
    """The value of a scalar with its tag, if it has one; `plain` says that it has no quotes. Raises ValueError."""
    if tag is None or tag == "!":
        return plain_value(text) if plain else text
    name = short_tag(tag)
    if name == "!!str":
        return text
    if name not in _KINDS:
        raise ValueError(f"The tag {name} is not supported")
    value = plain_value(text)
    if name == "!!float" and type(value) is int:
        value = float(value)
    if type(value) is not _KINDS[name]:
        raise ValueError(f"This value does not fit its tag {name}")
    return value


def short_tag(tag: str) -> str:
    """A tag as people write it: `!!int`."""
    return tag.replace("tag:yaml.org,2002:", "!!")


def plain_value(text: str) -> Any:
    """The value of a text without quotes and tag."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] not in "0123456789+-." or len(text) > _MAX_DIGITS:
        return text
    if _INTEGER.match(text):
        return int(text.replace("_", ""))
    if _OTHER_BASE.match(text):
        return int(text, 0)
    if text in _SPECIAL:
        return _SPECIAL[text]
    if _FLOAT.match(text) and not _LEADING_ZERO.match(text):
        return float(text.replace("_", ""))
    return text
