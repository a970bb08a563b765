"""Options of a Qdrant resource and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration, Secret
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration
from langstream.services.stores.fields import KeyField, all_different, key_names


class QdrantConfiguration(Configuration):
    """Where Qdrant is."""

    service: ServiceName
    url: Annotated[str, Field(pattern=r"^https?://", description="Address, for instance http://localhost:6333.")] = (
        "http://localhost:6333"
    )
    api_key: Annotated[Secret | None, Field(description="API key, where the server asks for one.")] = None
    timeout_seconds: Annotated[float, Field(gt=0, description="How long to wait for an answer.")] = 60


class QdrantSinkConfiguration(SinkConfiguration):
    """Where and what to write: the vector, and the other fields as payload."""

    collection_name: Annotated[str, Field(min_length=1, description="Collection.")]
    fields: Annotated[list[KeyField], Field(min_length=1, description="Fields of the point.")]
    vector_field: Annotated[str, Field(description="The field that is the vector; the others are payload.")] = "vector"
    vector_name: Annotated[str, Field(description="Name of the vector, in collections with several.")] = ""

    @model_validator(mode="after")
    def _has_a_key(self) -> QdrantSinkConfiguration:
        all_different(self.fields)
        key_names(self.fields)
        if self.vector_field not in (field.name for field in self.fields):
            raise ValueError(f"fields: there is no '{self.vector_field}' for the vector")
        return self

    def columns(self) -> list[Column]:
        """The fields of the point."""
        keys = key_names(self.fields)
        return [Column(field.name, field.expression, field.name in keys) for field in self.fields]
