"""Options of Cassandra and Astra datasources."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from langstream.configuration.model import Configuration, Secret, Text
from langstream.services.stores.contract import ServiceName

DEFAULT_PORT = 9042


def _hosts(value: Any) -> Any:
    parts = value if isinstance(value, list) else [value]
    return [host.strip() for part in parts for host in str(part).split(",") if host.strip()]


class CassandraConfiguration(Configuration):
    """A cluster of one's own."""

    service: ServiceName
    contact_points: Annotated[
        list[str],
        BeforeValidator(_hosts),
        Field(min_length=1, description="Hosts to ask for the others, separated by commas or as a list."),
    ]
    local_dc: Annotated[
        str,
        Field(alias="loadBalancing-localDc", min_length=1, description="Data centre whose nodes are asked."),
    ]
    port: Annotated[int, Field(ge=1, le=65535, description="Port of every node.")] = DEFAULT_PORT
    username: Annotated[Text | None, Field(description="User; together with `password`.")] = None
    password: Annotated[Secret | None, Field(description="Password of the user.")] = None
    tls: Annotated[bool, Field(description="Encrypt connections.")] = False
    ca_certificates: Annotated[
        str | None,
        Field(description="With `tls`: the authorities that are trusted, as PEM text; otherwise those of the system."),
    ] = None

    @model_validator(mode="after")
    def _login_is_whole(self) -> CassandraConfiguration:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: one of them is missing")
        return self


class AstraConfiguration(Configuration):
    """A database of DataStax Astra."""

    service: ServiceName
    client_id: Annotated[Text, Field(alias="clientId", min_length=1, description="Client id of an Astra token.")]
    secret: Annotated[Secret, Field(min_length=1, description="Secret of that token.")]
    secure_bundle: Annotated[
        Secret | None,
        Field(
            alias="secureBundle",
            description="Secure connect bundle: the zip file in base64, with or without `base64:` before it. Without "
            "it the bundle is fetched with `token` and `database`.",
        ),
    ] = None
    token: Annotated[Secret | None, Field(description="Token `AstraCS:…`, to fetch the bundle, and for keyspaces.")] = (
        None
    )
    database: Annotated[Text | None, Field(description="Name of the database.")] = None
    database_id: Annotated[Text | None, Field(description="Id of the database; `database` is used before it.")] = None
    environment: Annotated[Literal["DEV", "PROD", "TEST"], Field(description="Which Astra the token is of.")] = "PROD"
    username: Annotated[Text | None, Field(description="Used before `clientId`. Deprecated.")] = None
    password: Annotated[Secret | None, Field(description="Used before `secret`. Deprecated.")] = None

    @field_validator("secure_bundle")
    @classmethod
    def _is_base64(cls, text: str | None) -> str | None:
        if text:
            try:
                bundle_bytes(text)
            except (binascii.Error, ValueError):
                raise ValueError("secureBundle must be a valid base64 string.") from None
        return text

    @model_validator(mode="after")
    def _can_connect(self) -> AstraConfiguration:
        if not self.secure_bundle and not (self.token and (self.database or self.database_id)):
            raise ValueError("token and database are required for Astra service if secureBundle is not configured.")
        return self


def bundle_bytes(text: str) -> bytes:
    """The zip file. Raises ValueError for what is no base64."""
    return base64.b64decode(text.removeprefix("base64:"), validate=True)
