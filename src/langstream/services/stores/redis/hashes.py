"""Rows as hashes.

Fields are written the way that Redis's search module reads them: text and numbers as text, vectors as packed 32-bit
floats, everything else as JSON. What is no text is noted in one more field, so that a row comes back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from langstream.records import dump_json
from langstream.services.stores.contract import Row
from langstream.services.stores.jdbc.vectors import pack, unpack

TYPES: Final = "__types"
"""The field that tells which fields hold JSON (`j`) and which vectors (`v`)."""


def written(row: Mapping[str, Any]) -> dict[str, bytes]:
    """The fields of the hash; nulls are left out."""
    fields: dict[str, bytes] = {}
    types: dict[str, str] = {}
    for name, value in row.items():
        if value is None:
            continue
        fields[name], kind = _field(value)
        if kind:
            types[name] = kind
    if types:
        fields[TYPES] = orjson.dumps(types)
    return fields


def _field(value: Any) -> tuple[bytes, str]:
    if isinstance(value, str):
        return value.encode(), ""
    if is_vector(value):
        return pack(value), "v"
    return dump_json(value), "j"


def read(fields: Mapping[bytes, bytes]) -> Row:
    """The row of a hash, whoever wrote it."""
    types = orjson.loads(fields.get(TYPES.encode(), b"{}"))
    return {
        (text := name.decode(errors="replace")): _value(content, types.get(text))
        for name, content in fields.items()
        if name != TYPES.encode()
    }


def _value(content: bytes, kind: str | None) -> Any:
    if kind == "v":
        return unpack(content)
    return orjson.loads(content) if kind == "j" else content.decode(errors="replace")


def is_vector(value: Any) -> bool:
    """Whether it is a list of floats; whole numbers may be among them."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(type(item) in (int, float) for item in value)
        and any(type(item) is float for item in value)
    )


def argument(value: Any) -> Any:
    """A value as an argument of a command: vectors packed, other structures as JSON."""
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, list | tuple) and value and all(type(item) in (int, float) for item in value):
        return pack(value)
    return dump_json(value)
