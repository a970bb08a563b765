"""Options of a Redis resource and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration, Secret
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration
from langstream.services.stores.fields import KeyField, all_different, key_names


class RedisConfiguration(Configuration):
    """Where Redis is."""

    service: ServiceName
    host: Annotated[str, Field(min_length=1, description="Host.")] = "localhost"
    port: Annotated[int, Field(ge=1, le=65535, description="Port.")] = 6379
    username: Annotated[str | None, Field(description="User, where the server knows users.")] = None
    password: Annotated[Secret | None, Field(description="Password.")] = None
    database: Annotated[int, Field(ge=0, description="Number of the database.")] = 0
    ssl: Annotated[bool, Field(description="Whether to connect with TLS.")] = False
    timeout_seconds: Annotated[float, Field(gt=0, description="How long to wait for a connection or an answer.")] = 20


class RedisSinkConfiguration(SinkConfiguration):
    """Where and what to write: a hash of the name `COLLECTION:KEY` for each row."""

    collection_name: Annotated[str, Field(min_length=1, description="What the names of the hashes begin with.")]
    fields: Annotated[list[KeyField], Field(min_length=1, description="Fields of the hash.")]
    vector_field: Annotated[
        str | None, Field(description="Field that must be a list of numbers; kept as packed 32-bit floats.")
    ] = "vector"

    @model_validator(mode="after")
    def _has_a_key(self) -> RedisSinkConfiguration:
        all_different(self.fields)
        key_names(self.fields)
        return self

    def columns(self) -> list[Column]:
        """The fields of the hash."""
        keys = key_names(self.fields)
        return [Column(field.name, field.expression, field.name in keys) for field in self.fields]
