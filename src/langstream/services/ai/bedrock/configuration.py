"""The options of `bedrock-configuration`."""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator

from langstream.configuration.model import Secret, Text
from langstream.services.ai.remote import HttpAddress, RemoteConfiguration


class BedrockConfiguration(RemoteConfiguration):
    """Amazon Bedrock, with AWS credentials or with an API key of Bedrock."""

    access_key: Secret | None = Field(None, description="The id of the AWS access key.", repr=False)
    secret_key: Secret | None = Field(None, description="The AWS secret access key.", repr=False)
    session_token: Secret | None = Field(None, description="The session token, with temporary credentials.", repr=False)
    api_key: Secret | None = Field(None, description="An API key of Bedrock, in place of AWS credentials.", repr=False)
    region: Text = Field("us-east-1", description="The AWS region.")
    endpoint_override: HttpAddress | None = Field(None, description="The base address, in place of the region's.")

    @field_validator("access_key", "secret_key", "session_token", "api_key")
    @classmethod
    def _blank_is_absent(cls, secret: str | None) -> str | None:
        return (secret or "").strip() or None

    @field_validator("region")
    @classmethod
    def _region_is_one(cls, region: str) -> str:
        if not re.fullmatch(r"[a-z0-9-]+", region):
            raise ValueError("must be a region such as us-east-1")
        return region

    @model_validator(mode="after")
    def _one_way_in(self) -> BedrockConfiguration:
        if self.api_key is not None:
            if self.access_key or self.secret_key:
                raise ValueError("Property 'api-key' replaces 'access-key' and 'secret-key': use one or the other")
            return self
        for name, secret in (("access-key", self.access_key), ("secret-key", self.secret_key)):
            if not secret:
                raise ValueError(f"Property '{name}' is required")
        return self

    @property
    def base(self) -> str:
        """The base address."""
        if self.endpoint_override is not None:
            return self.endpoint_override
        domain = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        return f"https://bedrock-runtime.{self.region}.{domain}"
