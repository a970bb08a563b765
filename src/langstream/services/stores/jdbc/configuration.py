"""Options of a JDBC datasource, and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from langstream.configuration.model import Configuration, Expression, OpenConfiguration, Text
from langstream.services.stores.contract import Column, SinkConfiguration
from langstream.services.stores.jdbc.url import parse_url


class JdbcConfiguration(OpenConfiguration):
    """Further keys are connection properties (`user`, `password`, …)."""

    service: Text
    driver_class: Annotated[
        str, Field(alias="driverClass", description="Java driver class; kept for compatibility, the URL decides.")
    ] = ""
    url: Annotated[
        str,
        Field(description="jdbc:herddb:…, jdbc:sqlite:FILE, jdbc:duckdb:FILE or jdbc:postgresql://HOST:PORT/DATABASE."),
    ]

    @field_validator("url")
    @classmethod
    def _supported(cls, url: str) -> str:
        parse_url(url)
        return url

    def properties(self) -> dict[str, str]:
        """The connection properties, as text."""
        return {name: str(value) for name, value in (self.model_extra or {}).items() if value is not None}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class JdbcField(Configuration):
    """One column."""

    name: Annotated[str, Field(min_length=1, description="Column.")]
    expression: Annotated[Expression, Field(description="Value of the column, computed from the record.")]
    primary_key: Annotated[bool, Field(description="Whether the column belongs to the primary key.")] = False


class JdbcSinkConfiguration(SinkConfiguration):
    """Where and what to write."""

    table_name: Annotated[str, Field(min_length=1, description="Table, as it is to stand in SQL.")]
    fields: Annotated[list[JdbcField], BeforeValidator(_as_list), Field(description="Columns.")]

    @model_validator(mode="after")
    def _has_a_key(self) -> JdbcSinkConfiguration:
        names = [field.name for field in self.fields]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"fields: {', '.join(repeated)} stands there more than once")
        if not any(field.primary_key for field in self.fields):
            raise ValueError("fields: at least one field needs primary-key: true, so that a record can replace a row")
        return self

    def columns(self) -> list[Column]:
        """The columns of the table."""
        return [Column(field.name, field.expression, field.primary_key) for field in self.fields]
