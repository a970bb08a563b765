"""The options of `open-ai-configuration`."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from langstream.configuration.model import Secret
from langstream.services.ai.remote import RemoteConfiguration


class OpenAIConfiguration(RemoteConfiguration):
    """OpenAI, Azure OpenAI, or any server that speaks the protocol of OpenAI."""

    provider: Literal["openai", "azure"] = Field("openai", description="The layout of addresses and the key's header.")
    access_key: Secret = Field(description="The key. May be empty for servers that ask for none.", repr=False)
    url: str | None = Field(
        None,
        description="The base address: required for Azure; for `openai` that of any compatible server, with the path "
        "that stands before `/chat/completions` (`/v1` where it has none), by default `https://api.openai.com/v1`.",
    )
    api_version: str = Field("2023-08-01-preview", description="The version of the protocol, for Azure.")
    stream_usage: bool | None = Field(
        None,
        description="Ask for token counts in streamed answers (`stream_options`). By default only OpenAI itself is "
        "asked, because older servers refuse the option.",
    )
    json_schemas: bool | None = Field(
        None,
        description="Ask for structured answers by `response_format: json_schema`. By default so, except with "
        "versions of Azure before 2024-08-01; else the model is told the schema in words.",
    )

    @model_validator(mode="after")
    def _url_fits(self) -> OpenAIConfiguration:
        if self.provider == "azure" and not self.url:
            raise ValueError("Property 'url' is required for provider 'azure': the endpoint of the Azure resource")
        if self.url and (urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).hostname):
            raise ValueError("Property 'url' must be an address such as https://host/v1")
        return self
