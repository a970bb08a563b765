"""Options of a Milvus resource and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration, Secret
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration
from langstream.services.stores.fields import SinkField, all_different


class MilvusConfiguration(Configuration):
    """Where Milvus is: `host` and `port`, the `url` of a hosted one, or the `uri` of a file for Milvus Lite."""

    service: ServiceName
    host: Annotated[str | None, Field(description="Host of a server.")] = None
    port: Annotated[int, Field(ge=1, le=65535, description="Port of the server.")] = 19530
    user: Annotated[str, Field(description="User.")] = "default"
    username: Annotated[str | None, Field(description="Another name of `user`.")] = None
    password: Annotated[Secret | None, Field(description="Password of the user.")] = None
    url: Annotated[str | None, Field(description="Address of a hosted Milvus (Zilliz Cloud); goes before `host`.")] = (
        None
    )
    token: Annotated[Secret | None, Field(description="Token for `url`.")] = None
    uri: Annotated[
        str | None, Field(pattern=r"\.db$", description="File of a Milvus Lite, ending in .db; goes before the others.")
    ] = None
    database_name: Annotated[str, Field(description="Database where agents and assets name none.")] = ""
    write_mode: Annotated[
        Literal["upsert", "delete-insert"],
        Field(description="How rows are replaced; `delete-insert` for servers that cannot upsert."),
    ] = "upsert"
    timeout_seconds: Annotated[
        float, Field(gt=0, description="How long one call may take, further attempts included.")
    ] = 20

    @model_validator(mode="after")
    def _somewhere(self) -> MilvusConfiguration:
        if not (self.host or self.url or self.uri):
            raise ValueError("one of host, url and uri is required")
        return self

    def address(self) -> str:
        """The address for the client."""
        return self.uri or self.url or f"http://{self.host}:{self.port}"

    def credential(self) -> str:
        """The token for the client; empty without a login."""
        if self.uri:
            return ""
        if self.url and self.token:
            return self.token
        return f"{self.username or self.user}:{self.password}" if self.password else ""


class MilvusSinkConfiguration(SinkConfiguration):
    """Where and what to write. The primary key is that of the collection."""

    collection_name: Annotated[str, Field(min_length=1, description="Collection.")]
    database_name: Annotated[str, Field(description="Database; that of the resource by default.")] = ""
    fields: Annotated[list[SinkField], Field(min_length=1, description="Fields of the collection.")]

    @model_validator(mode="after")
    def _once_each(self) -> MilvusSinkConfiguration:
        all_different(self.fields)
        return self

    def columns(self) -> list[Column]:
        """The fields; which is the key says the collection."""
        return [Column(field.name, field.expression) for field in self.fields]
