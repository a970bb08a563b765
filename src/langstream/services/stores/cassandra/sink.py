"""Options of `vector-db-sink` on Cassandra and Astra: the mapping of columns, and those of the original's sink."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from langstream.errors import RecordError
from langstream.services.stores.cassandra.mapping import Mapping, parsed
from langstream.services.stores.contract import Column, SinkConfiguration

_PREFIX = re.compile(r"^topic\.[^.]+\.[^.]+\.[^.]+\.")
"""The original's engine took table options by this prefix: `topic.langstreaminputtopic.KEYSPACE.TABLE.`."""
_SCALARS = (str, int, float, bool, type(None))

Consistency = Literal[
    "ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "LOCAL_ONE", "SERIAL", "LOCAL_SERIAL"
]
Unit = Literal["NANOSECONDS", "MICROSECONDS", "MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"]

MICROSECONDS: dict[str, float] = {
    "NANOSECONDS": 0.001,
    "MICROSECONDS": 1,
    "MILLISECONDS": 1_000,
    "SECONDS": 1_000_000,
    "MINUTES": 60_000_000,
    "HOURS": 3_600_000_000,
    "DAYS": 86_400_000_000,
}


class CqlSinkConfiguration(SinkConfiguration):
    """Further options of the original's sink are accepted and have no effect (`jmx`, `compression`, …)."""

    model_config = ConfigDict(extra="allow")

    table_name: Annotated[
        str,
        Field(min_length=1, description="Table, also as `keyspace.table`."),
    ]
    table: Annotated[
        str | None,
        Field(min_length=1, description="Used before `table-name`, where both are given."),
    ] = None
    keyspace: Annotated[str, Field(description="Keyspace, unless the table is given with it.")] = ""
    mapping: Annotated[
        str,
        Field(
            min_length=1,
            description="`column=source` pairs, separated by commas. Sources are `value`, `key`, `value.F`, `key.F`, "
            "`header.F` and `now()`; the columns `__ttl` and `__timestamp` set how long the row lives and when it was "
            "written.",
        ),
    ]
    consistency: Annotated[
        Consistency | None,
        Field(
            alias="consistencyLevel",
            description="How many replicas must confirm: LOCAL_ONE unless told otherwise, LOCAL_QUORUM on Astra.",
        ),
    ] = None
    ttl: Annotated[
        int | None,
        Field(ge=-1, description="How long rows live, in `ttlTimeUnit`; -1, or nothing: as the table says."),
    ] = None
    ttl_unit: Annotated[Unit, Field(alias="ttlTimeUnit", description="Unit of `ttl` and `__ttl`.")] = "SECONDS"
    timestamp_unit: Annotated[Unit, Field(alias="timestampTimeUnit", description="Unit of `__timestamp`.")] = (
        "MICROSECONDS"
    )
    null_to_unset: Annotated[
        bool, Field(alias="nullToUnset", description="Whether null leaves a column as it is, instead of clearing it.")
    ] = True
    deletes_enabled: Annotated[
        bool, Field(alias="deletesEnabled", description="Whether a record without value deletes its row.")
    ] = True
    query: Annotated[
        str | None,
        Field(
            description="CQL to run in place of INSERT, with `:column` for mapped ones; needs `deletesEnabled: false`."
        ),
    ] = None
    ignore_errors: Annotated[
        Literal["None", "Driver", "All"],
        Field(
            alias="ignoreErrors",
            description="Which records that fail are left out and count as written: `Driver` those that the store "
            "refuses, `All` those that do not fit the mapping too.",
        ),
    ] = "None"
    timeout_seconds: Annotated[
        float, Field(alias="queryExecutionTimeout", gt=0, description="Seconds that a write may take.")
    ] = 30.0
    most_requests: Annotated[
        int, Field(alias="maxConcurrentRequests", ge=1, description="Writes under way at the same time.")
    ] = 128

    @model_validator(mode="before")
    @classmethod
    def _without_prefixes(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        for name, value in data.items():
            if not isinstance(value, _SCALARS):
                raise ValueError(  # noqa: TRY004 — pydantic expects it
                    f"Only string values can be passed to the Cassandra sink, found {name}: a {_kind(value)}"
                )
        plain = {_PREFIX.sub("", name): value for name, value in data.items()}
        timeout = plain.get("queryExecutionTimeout")
        if isinstance(timeout, str):
            plain["queryExecutionTimeout"] = timeout.removesuffix("seconds").strip()
        return plain

    @model_validator(mode="after")
    def _is_whole(self) -> CqlSinkConfiguration:
        if self.keyspace and "." in self._written:
            raise ValueError("table-name has a keyspace already: leave out keyspace")
        if not self.keyspace and "." not in self._written:
            raise ValueError("the keyspace is missing: set keyspace, or table-name as keyspace.table")
        if self.query is not None and self.deletes_enabled:
            raise ValueError("query needs deletesEnabled: false")
        parsed(self.mapping)
        return self

    @property
    def _written(self) -> str:
        return self.table or self.table_name

    def target(self) -> tuple[str, str]:
        """Keyspace and table, as they stand in CQL."""
        if self.keyspace:
            return self.keyspace, self._written
        keyspace, _, table = self._written.partition(".")
        return keyspace, table

    def sources(self) -> Sequence[Mapping]:
        """The mapping taken apart."""
        return parsed(self.mapping)

    def columns(self) -> list[Column]:
        """One per mapped column; which belong to the key tells the table."""
        return [Column(source.column, source.reader()) for source in self.sources()]

    def forgives(self, error: Exception) -> bool:
        """With `ignoreErrors: All`, records that do not fit the mapping."""
        return self.ignore_errors == "All" and isinstance(error, RecordError)


def _kind(value: Any) -> str:
    return "list" if isinstance(value, list) else "map" if isinstance(value, dict) else type(value).__name__
