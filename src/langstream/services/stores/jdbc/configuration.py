"""Options of a JDBC datasource, and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from langstream.configuration.model import OpenConfiguration
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration
from langstream.services.stores.fields import KeyField, all_different
from langstream.services.stores.jdbc.url import SERVERS, check_driver, parse_server, parse_url


class JdbcConfiguration(OpenConfiguration):
    """Further keys are connection properties (`user`, `password`, …)."""

    service: ServiceName
    driver_class: Annotated[
        str, Field(alias="driverClass", description="Java driver class; kept for compatibility, the URL decides.")
    ] = ""
    url: Annotated[
        str,
        Field(
            description="`jdbc:herddb:NAME`, `jdbc:sqlite:FILE`, `jdbc:duckdb:FILE`, or `jdbc:postgresql:`, "
            "`jdbc:mysql:` or `jdbc:mariadb:` with `//HOST:PORT/DATABASE`. Further keys beside it are connection "
            "properties: `user`, `password`, `sslmode` and others."
        ),
    ]

    @model_validator(mode="after")
    def _supported(self) -> JdbcConfiguration:
        engine = parse_url(self.url)
        if engine.engine in SERVERS:
            parse_server(engine.location, SERVERS[engine.engine])
        check_driver(self.driver_class, engine.engine)
        return self

    def properties(self) -> dict[str, str]:
        """The connection properties, as text."""
        return {name: str(value) for name, value in (self.model_extra or {}).items() if value is not None}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class JdbcSinkConfiguration(SinkConfiguration):
    """Where and what to write."""

    table_name: Annotated[str, Field(min_length=1, description="Table, as it is to stand in SQL.")]
    fields: Annotated[list[KeyField], BeforeValidator(_as_list), Field(description="Columns.")]

    @model_validator(mode="after")
    def _has_a_key(self) -> JdbcSinkConfiguration:
        all_different(self.fields)
        if not any(field.primary_key for field in self.fields):
            raise ValueError("fields: at least one field needs primary-key: true, so that a record can replace a row")
        return self

    def columns(self) -> list[Column]:
        """The columns of the table."""
        return [Column(field.name, field.expression, field.primary_key) for field in self.fields]
