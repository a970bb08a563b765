"""Rows as points: ids, vectors and payloads.

A point's id is a whole number or a UUID. Other keys become a UUID made of them, always the same; the key itself is
part of the payload, so that rows come back with the id that was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from langstream.records import dump_json
from langstream.services.stores.contract import Row

_NAMESPACE: Final = UUID("6f1c2f4e-3d0b-5a37-9a53-6d2b1f0f7b57")


def point_id(key: Any) -> int | str:
    """The id of the point of a key; of a key of several fields, their list."""
    if type(key) is int and 0 <= key < 2**64:
        return key
    if isinstance(key, str):
        try:
            return str(UUID(key))
        except ValueError:
            pass
    return str(uuid5(_NAMESPACE, dump_json(key).decode()))


def point(key: Mapping[str, Any], values: Mapping[str, Any], vector_field: str, vector_name: str) -> dict[str, Any]:
    """The point of a row; nulls are left out of the payload."""
    row = {**key, **values}
    vector = row.pop(vector_field, None)
    return {
        "id": id_of(key),
        "vector": {vector_name: vector} if vector_name else vector if vector is not None else {},
        "payload": {name: value for name, value in row.items() if value is not None},
    }


def id_of(key: Mapping[str, Any]) -> int | str:
    """The id of the point of a row's key."""
    values = list(key.values())
    return point_id(values[0] if len(values) == 1 else values)


def row(found: Mapping[str, Any]) -> Row:
    """The payload, the id (the payload's, where it has one), and what else was asked for."""
    made = {"id": found["id"], **(found.get("payload") or {})}
    if found.get("score") is not None:
        made["similarity"] = found["score"]
    if found.get("vector"):
        made["vector"] = found["vector"]
    return made
