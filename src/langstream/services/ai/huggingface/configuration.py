"""The options of `hugging-face-configuration`."""

from __future__ import annotations

from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field

from langstream.configuration.model import Secret
from langstream.services.ai.remote import HttpAddress, RemoteConfiguration

ROUTER: Final = "https://router.huggingface.co"
MODEL_CHECK: Final = "https://huggingface.co/api/models"


class HuggingFaceConfiguration(RemoteConfiguration):
    """Hugging Face's inference service, or servers that speak its protocols."""

    provider: Literal["api", "local"] = Field(
        "api", description="Where embeddings are computed; completions always come from `inference-url`."
    )
    access_key: Secret | None = Field(None, description="The access token.", repr=False)
    inference_url: HttpAddress = Field(
        ROUTER,
        description="The base address for completions: chat at `/v1/chat/completions`, text at `/models/MODEL`, or at "
        "the root of a dedicated endpoint.",
    )
    api_url: HttpAddress = Field(
        f"{ROUTER}/hf-inference/models/{{model}}/pipeline/feature-extraction",
        description="The address for embeddings; the model takes the place of `{model}`, or is appended.",
    )
    model_check_url: HttpAddress | None = Field(
        None,
        description="Where it is checked that a model of embeddings is one; the model is appended. By default at "
        "Hugging Face, if `api-url` is there too.",
    )
    threads: int = Field(2, ge=1, le=64, description="Threads of the encoder, with `provider: local`.")

    @property
    def checked_at(self) -> str | None:
        """The base address of the check, or None where nothing is checked."""
        if self.model_check_url is not None:
            return self.model_check_url
        return MODEL_CHECK if (urlsplit(self.api_url).hostname or "").endswith("huggingface.co") else None
