"""How values appear in a text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, Final

from langstream.records import AvroValue, Document, dump_json

_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "'": "&#39;", '"': "&quot;", "<": "&lt;", ">": "&gt;", "`": "&#x60;", "=": "&#x3D;"}
)
_SPECIAL: Final = re.compile("[&'\"<>`=]")


def escaped(text: str) -> str:
    """The text for HTML."""
    return text if _SPECIAL.search(text) is None else text.translate(_ESCAPES)


def printed(value: Any) -> str:
    """The text of a value that is not null: lists and maps are JSON, numbers as in JSON, dates ISO 8601."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return repr(value)
    return _printed(value)


def _printed(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping | list | tuple | AvroValue | Document):
        return dump_json(value).decode()
    return str(value)
