"""The types of `schema` and `keySchema` that brokers know, for those who ask without a broker's client."""

from __future__ import annotations

from typing import Final

KAFKA: Final = ("string", "bytes", "avro")
PULSAR: Final = (
    "string", "bytes", "avro", "json", "int8", "int16", "int32", "int64", "float", "double", "boolean",
)  # fmt: skip

_KNOWN: Final = {"kafka": KAFKA, "pulsar": PULSAR}


def schema_types(broker: str) -> tuple[str, ...] | None:
    """Those of a type of streaming cluster; None where every type will do."""
    return _KNOWN.get(broker)
