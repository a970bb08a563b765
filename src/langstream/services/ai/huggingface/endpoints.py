"""Where requests to Hugging Face go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from langstream.services.ai.huggingface.configuration import HuggingFaceConfiguration

_PLACE: Final = "{model}"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of a configured resource."""

    inference: str
    embeddings: str

    @property
    def chat(self) -> str:
        """For chat, in the protocol of OpenAI."""
        return f"{self.inference}/v1/chat/completions"

    def text(self, model: str) -> str:
        """For text completions and fill-mask models. A dedicated endpoint has one model, at its root."""
        host = urlsplit(self.inference).hostname or ""
        if host.endswith(".endpoints.huggingface.cloud"):
            return f"{self.inference}/"
        path = "hf-inference/models" if host == "router.huggingface.co" else "models"
        return f"{self.inference}/{path}/{_name(model)}"

    def hub(self, checked_at: str | None) -> str | None:
        """The address of the hub, which knows tokens and models; None where everything is served by others."""
        if checked_at is not None and checked_at.endswith("/models"):
            return checked_at.removesuffix("/models")
        host = urlsplit(self.inference).hostname or ""
        return "https://huggingface.co/api" if host.endswith("huggingface.co") else None

    def vectors(self, model: str) -> str:
        """For embeddings."""
        if _PLACE in self.embeddings:
            return self.embeddings.replace(_PLACE, _name(model))
        return f"{self.embeddings}/{_name(model)}"


def endpoints_of(configuration: HuggingFaceConfiguration) -> Endpoints:
    """The addresses for a configured resource."""
    return Endpoints(configuration.inference_url, configuration.api_url)


def _name(model: str) -> str:
    return quote(model, safe="/")
