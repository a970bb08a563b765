"""Where requests go: the addresses of OpenAI, of compatible servers and of Azure, and the header with the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlsplit

from langstream.services.ai.openai.configuration import OpenAIConfiguration

OPENAI: Final = "https://api.openai.com/v1"
_AZURE_SCHEMAS: Final = "2024-08-01"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """`azure` puts the model into the address; elsewhere it stands in the body."""

    base: str
    azure: bool
    headers: Mapping[str, str] = field(repr=False)
    api_version: str = ""

    def url(self, operation: str, model: str) -> str:
        """The address of `chat/completions`, `completions` or `embeddings`."""
        if self.azure:
            deployment = quote(model, safe="")
            return f"{self.base}/openai/deployments/{deployment}/{operation}?api-version={quote(self.api_version)}"
        return f"{self.base}/{operation}"

    @property
    def openai_itself(self) -> bool:
        """Whether this is OpenAI's own service, whose options are all known."""
        return urlsplit(self.base).hostname == "api.openai.com"

    @property
    def knows_schemas(self) -> bool:
        """Whether answers by JSON Schema can be asked for; earlier versions of Azure refuse that."""
        return not self.azure or self.api_version >= _AZURE_SCHEMAS


def endpoints_of(configuration: OpenAIConfiguration) -> Endpoints:
    """The addresses for a configured resource.

    `provider` decides on the layout, except that an address at `openai.azure.com` is always Azure's: with provider
    `openai` the key is then sent as a bearer token, which Azure takes for tokens of Microsoft Entra.
    """
    base = (configuration.url or OPENAI).rstrip("/")
    parts = urlsplit(base)
    azure = configuration.provider == "azure" or (parts.hostname or "").endswith(".openai.azure.com")
    if not azure and not parts.path:
        base += "/v1"
    return Endpoints(base, azure, _key_header(configuration), configuration.api_version)


def _key_header(configuration: OpenAIConfiguration) -> dict[str, str]:
    key = configuration.access_key.strip()
    if not key:
        return {}
    return {"api-key": key} if configuration.provider == "azure" else {"Authorization": f"Bearer {key}"}
