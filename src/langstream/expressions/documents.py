"""Results as JSON documents hold them."""

from __future__ import annotations

import base64
from datetime import date, time
from typing import Any

import orjson

from langstream.expressions.dates import epoch_number
from langstream.records import AvroValue, dump_json


def json_form(value: Any) -> Any:
    """The value with dates as numbers and bytes as base64 text, at every depth.

    Instants and local date-times become milliseconds since the epoch, local dates days since the epoch, times of day
    milliseconds since midnight; sets become lists, Avro values their data. What needs no change is given back as it is.
    """
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is bool or value is None:
        return value
    if kind is dict:
        changed = {name: json_form(item) for name, item in value.items()}
        return changed if any(changed[name] is not value[name] for name in changed) else value
    if kind is list:
        items = [json_form(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, date | time):
        return epoch_number(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, tuple):
        return [json_form(item) for item in value]
    if isinstance(value, AvroValue):
        return json_form(value.value)
    return value


def json_text(value: Any) -> str:
    """Compact JSON text of any result. Raises TypeError for a lambda."""
    try:
        return orjson.dumps(value, default=_written, option=_OPTIONS).decode()
    except TypeError:
        return dump_json(json_form(value)).decode()  # integers beyond 64 bits, decimals


def _written(value: Any) -> Any:
    plain = _plain(value)
    if plain is value:
        raise TypeError(f"a {type(value).__name__} cannot be written as JSON")
    return plain


_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
