"""The options of `vertex-configuration`."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from langstream.configuration.model import Secret, Text
from langstream.services.ai.remote import HttpAddress, RemoteConfiguration


class VertexConfiguration(RemoteConfiguration):
    """Vertex AI with a token or a service account, or the Gemini API with its key: exactly one of the three."""

    url: HttpAddress | None = Field(
        None, description="The base address; by default that of Vertex AI in the region, or of the Gemini API."
    )
    region: Text | None = Field(None, description="The region, such as us-central1, or `global`; with Vertex AI.")
    project: Text | None = Field(None, description="The id of the project; with Vertex AI.")
    token: Secret | None = Field(None, description="An access token. It is not renewed.", repr=False)
    service_account_json: Secret | None = Field(
        None,
        alias="serviceAccountJson",
        description="The content of the key file of a service account (JSON). Tokens are fetched with it and renewed.",
        repr=False,
    )
    api_key: Secret | None = Field(
        None, description="A key of the Gemini API, which knows neither projects nor regions.", repr=False
    )

    @field_validator("token", "service_account_json", "api_key")
    @classmethod
    def _blank_is_absent(cls, secret: str | None) -> str | None:
        return (secret or "").strip() or None

    @model_validator(mode="after")
    def _one_way_in(self) -> VertexConfiguration:
        given = {"token": self.token, "serviceAccountJson": self.service_account_json, "api-key": self.api_key}
        present = [f"'{name}'" for name, secret in given.items() if secret]
        if len(present) != 1:
            found = f"there are {' and '.join(present)}" if present else "there is none"
            raise ValueError(f"exactly one of 'token', 'serviceAccountJson' and 'api-key' is required; {found}")
        if self.api_key is None:
            missing = [name for name in ("region", "project") if not getattr(self, name)]
            if missing:
                raise ValueError(f"Property '{missing[0]}' is required with Vertex AI")
        if self.service_account_json is not None:
            from langstream.services.ai.vertex.account import account_of

            account_of(self.service_account_json)
        return self
