"""Options of a Pinecone resource and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from langstream.configuration.model import Configuration, Expression, Secret
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration

METADATA: Final = "vector.metadata."
_EXPRESSION: Final = TypeAdapter(Expression)


class PineconeConfiguration(Configuration):
    """Which index, and how to reach it.

    Its address is looked up by its name, unless `endpoint` tells it. `environment` and `project-name` are those of the
    indexes of old, whose addresses were made of them.
    """

    service: ServiceName
    api_key: Annotated[Secret, Field(min_length=1, description="API key.")]
    index_name: Annotated[str, Field(min_length=1, description="Index.")]
    environment: Annotated[str | None, Field(description="Environment of an index of old; with project-name.")] = None
    project_name: Annotated[str | None, Field(description="Project of an index of old; with environment.")] = None
    endpoint: Annotated[str | None, Field(description="Address of the index, where it is not to be looked up.")] = None
    control_endpoint: Annotated[str, Field(description="Address of the service that knows the indexes.")] = (
        "https://api.pinecone.io"
    )
    server_side_timeout_sec: Annotated[
        int, Field(ge=1, le=300_000, description="How long to wait for an answer, in seconds.")
    ] = 10

    def known_address(self) -> str | None:
        """The address of the index, None where it has to be looked up."""
        if self.endpoint:
            return self.endpoint
        if self.environment and self.project_name:
            return f"https://{self.index_name}-{self.project_name}.svc.{self.environment}.pinecone.io"
        return None


class PineconeSinkConfiguration(SinkConfiguration):
    """What to write. Keys are flat: `vector.metadata.NAME` is the expression of one entry of the metadata."""

    model_config = ConfigDict(extra="allow")

    vector_id: Annotated[Expression, Field(alias="vector.id", min_length=1, description="Id of the vector.")]
    vector_vector: Annotated[
        Expression, Field(alias="vector.vector", min_length=1, description="The vector: a list of numbers.")
    ]
    vector_namespace: Annotated[
        Expression | None, Field(alias="vector.namespace", description="Namespace; null is the default one.")
    ] = None
    vector_metadata: Annotated[
        dict[str, Expression] | None,
        Field(
            alias="vector.metadata",
            description="Entries of the metadata. They may also be given one by one, as `vector.metadata.NAME`.",
        ),
    ] = None

    @model_validator(mode="after")
    def _only_metadata(self) -> PineconeSinkConfiguration:
        unknown = [name for name in self.model_extra or {} if not name.startswith(METADATA) or name == METADATA]
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))}: unknown; expected {METADATA}NAME")
        for name, expression in self.metadata().items():
            try:
                _EXPRESSION.validate_python(expression)
            except ValidationError as error:
                raise ValueError(f"{METADATA}{name}: {error.errors()[0]['msg']}") from None
        return self

    def metadata(self) -> dict[str, Any]:
        """The expression of each entry of the metadata."""
        single = {name.removeprefix(METADATA): text for name, text in (self.model_extra or {}).items()}
        return {**(self.vector_metadata or {}), **single}

    def columns(self) -> list[Column]:
        """Id and namespace are the key; entries of the metadata are columns of their own."""
        namespace = (
            [Column("namespace", self.vector_namespace, key=True, optional=True)] if self.vector_namespace else []
        )
        entries = [Column(METADATA + name, text) for name, text in self.metadata().items()]
        return [Column("id", self.vector_id, key=True), *namespace, Column("values", self.vector_vector), *entries]
