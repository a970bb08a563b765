"""The text of a record's value, as the text agents see it, and headers that replace those of the same name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langstream.records import AvroValue, Headers, SimpleRecord, dump_json, header_text


def text_of_value(record: SimpleRecord) -> str | None:
    """Bytes decoded as UTF-8 (undecodable ones replaced), JSON for dicts, lists and Avro, else the text itself.

    None where there is no value.
    """
    value = record.value()
    if isinstance(value, str):
        return value
    if isinstance(value, AvroValue):
        return dump_json(value.value).decode()
    return header_text(value)


def replaced_headers(record: SimpleRecord, changes: Sequence[tuple[str, Any]]) -> Headers:
    """The record's headers, those named in `changes` taken out, followed by the changes."""
    names = {name for name, _ in changes}
    kept = [(name, value) for name, value in record.header_items() if name not in names]
    return (*kept, *changes)
