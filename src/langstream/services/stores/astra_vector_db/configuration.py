"""Options of an `astra-vector-db` resource and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, field_validator, model_validator

from langstream.configuration.model import Configuration, Secret
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration
from langstream.services.stores.fields import SinkField, all_different

ID = "id"
_PATH = "/api/json/v1"


class AstraVectorDbConfiguration(Configuration):
    """A database of DataStax Astra, by its Data API."""

    service: ServiceName
    endpoint: Annotated[str, Field(description="API endpoint of the database, https://….apps.astra.datastax.com.")]
    token: Annotated[Secret, Field(min_length=1, description="Application token, `AstraCS:…`.")]
    keyspace: Annotated[str, Field(min_length=1, description="Keyspace of the collections.")] = "default_keyspace"

    @field_validator("endpoint")
    @classmethod
    def _is_address(cls, text: str) -> str:
        if not text.startswith(("https://", "http://")):
            raise ValueError("it must begin with https://")
        return text.rstrip("/").removesuffix(_PATH)

    def root(self) -> str:
        """The address of the interface."""
        return self.endpoint + _PATH


class AstraVectorDbSinkConfiguration(SinkConfiguration):
    """Where and what to write."""

    model_config = ConfigDict(extra="allow")

    collection_name: Annotated[str, Field(min_length=1, description="Collection; it must exist.")]
    fields: Annotated[
        list[SinkField],
        Field(
            min_length=1,
            description="Members of the document. `id` is its id, made of the record's content where there is none; "
            "`vector` its vector; `data` stands for the whole document.",
        ),
    ]

    @model_validator(mode="after")
    def _once_each(self) -> AstraVectorDbSinkConfiguration:
        all_different(self.fields)
        return self

    def columns(self) -> list[Column]:
        """The fields, and an id where none is among them."""
        columns = [Column(field.name, field.expression, field.name == ID, field.name == ID) for field in self.fields]
        return columns if any(column.key for column in columns) else [Column(ID, None, True, True), *columns]
