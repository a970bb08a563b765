"""Types as they are declared in options, and what is said about names that are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import WithJsonSchema

from langstream.configuration.validation import did_you_mean
from langstream.expressions import SchemaType

SCALAR_TYPES: Sequence[SchemaType] = (
    SchemaType.STRING,
    SchemaType.INT8,
    SchemaType.INT16,
    SchemaType.INT32,
    SchemaType.INT64,
    SchemaType.FLOAT,
    SchemaType.DOUBLE,
    SchemaType.BOOLEAN,
    SchemaType.DATE,
    SchemaType.TIME,
    SchemaType.TIMESTAMP,
    SchemaType.INSTANT,
    SchemaType.LOCAL_DATE,
    SchemaType.LOCAL_TIME,
    SchemaType.LOCAL_DATE_TIME,
    SchemaType.BYTES,
)
"""The types of whole values."""

FIELD_TYPES: Sequence[SchemaType] = (*SCALAR_TYPES, SchemaType.DATETIME, SchemaType.DECIMAL)
"""The types of computed fields."""


def schema_of(types: Sequence[SchemaType]) -> WithJsonSchema:
    """What editors and the reference are told: these names, and no others."""
    return WithJsonSchema({"enum": [kind.value for kind in types], "type": "string"})


def one_of(types: Sequence[SchemaType]) -> Callable[[Any], Any]:
    """A validator that accepts the names of these types, in upper case only."""
    names = [kind.value for kind in types]

    def check(value: Any) -> Any:
        if value is None or value in names:
            return value
        hint = did_you_mean(str(value).upper(), names) or f"Known types: {', '.join(names)}."
        raise ValueError(f"{value!r} is not a type. {hint}")

    return check
