"""Options of an OpenSearch resource and of a `vector-db-sink` that writes to one."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from langstream.configuration.model import Configuration, Expression, Secret, Text, scalar_as_text
from langstream.services.stores.contract import Column, ServiceName, SinkConfiguration
from langstream.services.stores.fields import SinkField, all_different

ID = "_id"
"""The document's id among the columns of a sink; no field can have this name."""
_AWS_REGION = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-\d)\.(?:es|aoss)\.amazonaws\.com")

Refresh = Annotated[Literal["true", "false", "wait_for"], BeforeValidator(scalar_as_text)]
"""When changes can be found; YAML's own true and false will do."""


class OpenSearchConfiguration(Configuration):
    """A server or a cluster, one's own or at AWS, and one index of it."""

    service: ServiceName
    host: Annotated[
        str,
        Field(min_length=1, description="Host name; for one that ends in amazonaws.com requests are signed for AWS."),
    ]
    index_name: Annotated[str, Field(min_length=1, description="Index that is searched and written to.")]
    https: Annotated[bool, Field(description="Whether to encrypt; always so with AWS.")] = True
    port: Annotated[int, Field(ge=1, le=65535, description="Port; 443 with AWS.")] = 9200
    username: Annotated[Text | None, Field(description="User, or AWS access key.")] = None
    password: Annotated[Secret | None, Field(description="Password, or AWS secret key.")] = None
    session_token: Annotated[Secret | None, Field(description="Session token of temporary AWS keys.")] = None
    region: Annotated[str | None, Field(description="AWS region, where the host name does not tell it.")] = None
    verify_certificates: Annotated[
        bool, Field(description="Whether the server must have a certificate of a known authority.")
    ] = True

    @model_validator(mode="after")
    def _can_log_in(self) -> OpenSearchConfiguration:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: one of them is missing")
        if self.aws and self.username is None:
            raise ValueError("username and password are required with AWS: the access key and the secret key")
        if self.aws and self.signing_region() is None:
            raise ValueError("region is required: the host name does not tell it")
        return self

    @property
    def aws(self) -> bool:
        """Whether requests are signed."""
        return self.host.endswith("amazonaws.com")

    def signing_region(self) -> str | None:
        """The region of the signature."""
        found = _AWS_REGION.search(self.host)
        return self.region or (found[1] if found else None)

    def signing_service(self) -> str:
        """The service of the signature: serverless collections have one of their own."""
        return "es" if self.host.endswith(".es.amazonaws.com") else "aoss"

    def root(self) -> str:
        """The address of the server."""
        if self.aws:
            return f"https://{self.host}"
        return f"{'https' if self.https else 'http'}://{self.host}:{self.port}"


class BulkParameters(Configuration):
    """Parameters of every bulk request."""

    pipeline: Annotated[Text | None, Field(description="Ingest pipeline.")] = None
    refresh: Annotated[Refresh | None, Field(description="When written documents can be found.")] = None
    require_alias: Annotated[
        bool | None, Field(alias="require_alias", description="Whether the index must be an alias.")
    ] = None
    routing: Annotated[Text | None, Field(description="Shard key of all documents.")] = None
    timeout: Annotated[Text | None, Field(description="How long to wait for shards, such as 30s.")] = None
    wait_for_active_shards: Annotated[
        Text | None,
        Field(
            alias="wait_for_active_shards",
            pattern=r"^(all|\d+)$",
            description="Copies of a shard that must be there: a number, or all.",
        ),
    ] = None

    def query(self) -> dict[str, str]:
        """As the request has them."""
        return {name: _said(value) for name, value in self.model_dump(exclude_none=True).items()}


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class OpenSearchSinkConfiguration(SinkConfiguration):
    """What to write. The index is that of the resource."""

    fields: Annotated[list[SinkField], Field(min_length=1, description="Fields of the document.")]
    id: Annotated[
        Expression | None,
        Field(
            description="Id of the document. Without one, or where it is null, it is made from the record's content."
        ),
    ] = None
    batch_size: Annotated[
        int | None, Field(ge=1, description="Most documents in a request; all that are there by default.")
    ] = None
    flush_interval: Annotated[
        int | None,
        Field(description="Milliseconds; accepted for compatibility: records are never held back for others."),
    ] = None
    bulk_parameters: Annotated[BulkParameters, Field(description="Parameters of every bulk request.")] = (
        BulkParameters()
    )

    @model_validator(mode="after")
    def _once_each(self) -> OpenSearchSinkConfiguration:
        all_different(self.fields)
        if any(field.name == ID for field in self.fields):
            raise ValueError("fields: _id cannot be a field; the option id gives the document's id")
        return self

    def columns(self) -> list[Column]:
        """The id, and the fields."""
        fields = [Column(field.name, field.expression) for field in self.fields]
        return [Column(ID, self.id, key=True, generated=True), *fields]
