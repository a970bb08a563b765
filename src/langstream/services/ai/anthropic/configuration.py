"""The options of `anthropic-configuration`."""

from __future__ import annotations

from pydantic import Field

from langstream.configuration.model import Secret, Text
from langstream.services.ai.remote import HttpAddress, RemoteConfiguration


class AnthropicConfiguration(RemoteConfiguration):
    """Anthropic's Messages API, or a server that speaks its protocol."""

    access_key: Secret = Field(description="The API key.", repr=False)
    url: HttpAddress = Field(
        "https://api.anthropic.com", description="The base address: what stands before `/v1/messages`."
    )
    api_version: Text = Field("2023-06-01", description="The header `anthropic-version`.")
    beta: list[Text] | None = Field(None, description="Features in beta: the header `anthropic-beta`.")
    max_tokens: int = Field(
        4096, ge=1, description="Limit for the length of answers where the agent sets none; the service wants one."
    )
