"""Options of a Chroma resource and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration, Secret
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration
from langstream.services.stores.fields import SinkField, all_different


class ChromaConfiguration(Configuration):
    """Where Chroma is."""

    service: ServiceName
    url: Annotated[str, Field(pattern=r"^https?://", description="Address, for instance http://localhost:8000.")] = (
        "http://localhost:8000"
    )
    tenant: Annotated[str, Field(min_length=1, description="Tenant.")] = "default_tenant"
    database: Annotated[str, Field(min_length=1, description="Database.")] = "default_database"
    token: Annotated[Secret | None, Field(description="Token, where the server asks for one.")] = None
    timeout_seconds: Annotated[float, Field(gt=0, description="How long to wait for an answer.")] = 60


class ChromaSinkConfiguration(SinkConfiguration):
    """Where and what to write. `id`, `vector` and `document` are Chroma's own; the other fields are metadata."""

    collection_name: Annotated[str, Field(min_length=1, description="Collection.")]
    fields: Annotated[list[SinkField], Field(min_length=1, description="Fields: id, vector, document, and metadata.")]

    @model_validator(mode="after")
    def _has_a_key(self) -> ChromaSinkConfiguration:
        all_different(self.fields)
        missing = {"id", "vector"} - {field.name for field in self.fields}
        if missing:
            raise ValueError(f"fields: {' and '.join(sorted(missing))} is missing")
        return self

    def columns(self) -> list[Column]:
        """The fields."""
        return [Column(field.name, field.expression, field.name == "id") for field in self.fields]
