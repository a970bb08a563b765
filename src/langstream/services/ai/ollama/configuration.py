"""The options of `ollama-configuration`."""

from __future__ import annotations

from pydantic import Field

from langstream.configuration.model import Secret
from langstream.services.ai.remote import HttpAddress, RemoteConfiguration


class OllamaConfiguration(RemoteConfiguration):
    """An Ollama server."""

    url: HttpAddress = Field(description="The base address, such as http://localhost:11434.")
    access_key: Secret | None = Field(
        None, description="Sent as a bearer token, for servers behind a proxy that asks for one.", repr=False
    )
