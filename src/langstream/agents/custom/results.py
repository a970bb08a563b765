"""Turning what user code returns into records.

A result is a record (any object with the five methods), a dict of the arguments of `SimpleRecord`, or a tuple or list
of them in order. Values are copied where they could be changed later, so that an agent may keep and change the dicts
it has returned. Whatever does not fit is refused with a sentence that says what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langstream.configuration.validation import did_you_mean
from langstream.errors import RecordError
from langstream.records import AvroValue, Record, SimpleRecord

ARGUMENTS = ("value", "key", "headers", "origin", "timestamp")
METHODS = ("value", "key", "headers", "origin", "timestamp")

_PLAIN = frozenset((str, bytes, int, float, bool, type(None)))


def records_of(results: Any, where: str) -> list[Record]:
    """The records in what `process` or `read` returned. Raises RecordError for anything else."""
    if type(results) is list:
        return [record_of(result, where) for result in results]
    if results is None:
        raise RecordError(f"{where} returned None: expected a list of records (an empty list for none)")
    if isinstance(results, str | bytes | Mapping | Record) or _is_record(results):
        raise RecordError(f"{where} returned {_a(results)}: expected a list of records. Put it into a list: [...]")
    if not isinstance(results, Iterable):
        raise RecordError(f"{where} returned {_a(results)}: expected a list of records")
    return [record_of(result, where) for result in results]


def record_of(result: Any, where: str) -> SimpleRecord:
    """The record that a single result stands for."""
    if type(result) is SimpleRecord:
        value = result._value
        if type(value) in _PLAIN and type(result._key) in _PLAIN and not result._headers:
            return result
        return _checked_record(result, where)
    if isinstance(result, dict):
        return _from_dict(result, where)
    if isinstance(result, tuple | list):
        if not 1 <= len(result) <= len(ARGUMENTS):
            raise RecordError(
                f"{where} returned a {type(result).__name__} of {len(result)} items as a record: expected 1 to 5 "
                f"({', '.join(ARGUMENTS)})"
            )
        return _record(*result, where=where)
    if isinstance(result, SimpleRecord):
        return _checked_record(result, where)
    if _is_record(result):
        return _record(result.value(), result.key(), result.headers(), result.origin(), result.timestamp(), where=where)
    raise RecordError(
        f"{where} returned {_a(result)} as a record: expected a record, a dict or a tuple. "
        f"Wrap the value: {{'value': ...}}"
    )


def private_copy(value: Any) -> Any:
    """A value nobody else can change: dicts and lists are copied all the way down, other things are as they are."""
    kind = type(value)
    if kind is dict:
        return {name: item if type(item) in _PLAIN else private_copy(item) for name, item in value.items()}
    if kind is list:
        return [item if type(item) in _PLAIN else private_copy(item) for item in value]
    return value


def _is_record(result: Any) -> bool:
    return all(callable(getattr(result, name, None)) for name in METHODS) and not isinstance(result, type)


def _from_dict(result: dict[Any, Any], where: str) -> SimpleRecord:
    unknown = [name for name in result if name not in ARGUMENTS]
    if unknown:
        hint = did_you_mean(str(unknown[0]), ARGUMENTS) or (
            f"Known names: {', '.join(ARGUMENTS)}. A dict that is itself the value goes into {{'value': {{...}}}}."
        )
        raise RecordError(f"{where} returned a dict with the unknown name {unknown[0]!r} as a record. {hint}")
    if "value" not in result:
        raise RecordError(f"{where} returned a dict without 'value' as a record. Its names: {', '.join(result)}.")
    return _record(**result, where=where)


def _checked_record(record: SimpleRecord, where: str) -> SimpleRecord:
    checked = _record(
        record._value, record._key, record._headers, record._origin, record._timestamp, where=where, parsed=True
    )
    checked.destination = record.destination
    return checked


def _record(
    value: Any,
    key: Any = None,
    headers: Any = None,
    origin: Any = None,
    timestamp: Any = None,
    *,
    where: str,
    parsed: bool = False,
) -> SimpleRecord:
    if origin is not None and not isinstance(origin, str):
        raise RecordError(f"{where} returned a record whose origin is {_a(origin)}: expected text or None")
    if timestamp is not None:
        if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
            raise RecordError(
                f"{where} returned a record whose timestamp is {_a(timestamp)}: expected milliseconds as a number"
            )
        timestamp = int(timestamp)
    return SimpleRecord(
        _value(value, "value", where, parsed=parsed),
        _value(key, "key", where, parsed=parsed),
        _headers(headers, where),
        origin,
        timestamp,
    )


def _value(value: Any, part: str, where: str, *, parsed: bool = False) -> Any:
    kind = type(value)
    if kind in _PLAIN or kind is AvroValue:
        return value
    if kind is dict or kind is list:
        return private_copy(value)
    if parsed and kind.__name__ == "Document":  # a record passed on as it came
        return value
    if isinstance(value, str | bytes | int | float):  # subclasses, such as members of enumerations
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Mapping):
        return private_copy(dict(value))
    if isinstance(value, tuple):
        return private_copy(list(value))
    if kind.__name__ == "AvroValue" and hasattr(value, "schema") and hasattr(value, "value"):
        return AvroValue(value.schema, value.value)
    raise RecordError(
        f"{where} returned a record whose {part} is {_a(value)}: expected text, bytes, a number, a boolean, None, "
        "a dict, a list or an AvroValue"
    )


def _headers(headers: Any, where: str) -> tuple[tuple[str, Any], ...]:
    if not headers:
        if headers is None or isinstance(headers, list | tuple | Mapping):
            return ()
        raise RecordError(f"{where} returned a record whose headers are {_a(headers)}: expected (name, value) pairs")
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
        raise RecordError(f"{where} returned a record whose headers are {_a(headers)}: expected (name, value) pairs")
    return tuple(_header(pair, where) for pair in pairs)


def _header(pair: Any, where: str) -> tuple[str, Any]:
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):
        raise RecordError(f"{where} returned a record with the header {pair!r}: expected a pair (name, value)")
    return pair[0], _value(pair[1], f"header '{pair[0]}'", where)


def _a(value: Any) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
