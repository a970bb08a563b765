"""Options of a Solr resource and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration, Secret, Text
from langstream.errors import RecordError
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration
from langstream.services.stores.fields import SinkField, all_different

ID = "id"
"""The unique key of the collection."""


class SolrConfiguration(Configuration):
    """A server, and one collection of it."""

    service: ServiceName
    protocol: Annotated[Literal["http", "https"], Field(description="How to talk to the server.")] = "http"
    host: Annotated[str, Field(min_length=1, description="Host name.")] = "localhost"
    port: Annotated[int, Field(ge=1, le=65535, description="Port.")] = 8983
    collection_name: Annotated[str, Field(min_length=1, description="Collection that is searched and written to.")] = (
        "documents"
    )
    user: Annotated[Text | None, Field(description="User, for a server that asks for a login.")] = None
    password: Annotated[Secret | None, Field(description="Password of the user.")] = None

    @model_validator(mode="after")
    def _login_is_whole(self) -> SolrConfiguration:
        if self.user and self.password is None:
            raise ValueError("password is required with user")
        return self

    def root(self) -> str:
        """The address of the server."""
        return f"{self.protocol}://{self.host}:{self.port}"


class SolrSinkConfiguration(SinkConfiguration):
    """What to write. The collection is that of the resource."""

    fields: Annotated[
        list[SinkField],
        Field(min_length=1, description="Fields of the document. The one named `id` is its key."),
    ]
    commit_within: Annotated[
        int,
        Field(
            description="Milliseconds until documents can be found; 0 or less: at once, which costs the server a lot."
        ),
    ] = 1000

    @model_validator(mode="after")
    def _once_each(self) -> SolrSinkConfiguration:
        all_different(self.fields)
        return self

    def columns(self) -> list[Column]:
        """The fields. Without an `id` one is made of the record's content; then nothing can be deleted."""
        columns = [Column(field.name, field.expression, key=field.name == ID) for field in self.fields]
        return columns if any(column.key for column in columns) else [Column(ID, _made_up(), True, True), *columns]


def _made_up() -> Callable[[Any], Any]:
    def nothing(scope: Any) -> None:
        if scope.value is None:
            raise RecordError("In order to perform DELETE (the record has no value) you must provide the field id")

    return nothing
