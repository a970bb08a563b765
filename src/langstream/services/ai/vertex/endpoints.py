"""Where requests to Google go: Vertex AI names project and region, the Gemini API neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from langstream.services.ai.vertex.configuration import VertexConfiguration

GEMINI: Final = "https://generativelanguage.googleapis.com"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """`location` is `projects/P/locations/R`, empty for the Gemini API."""

    base: str
    location: str

    @property
    def vertex(self) -> bool:
        """Whether this is Vertex AI."""
        return bool(self.location)

    @property
    def place(self) -> str:
        """The address that tells whether this project and region, or the Gemini API, can be used at all."""
        return f"{self.base}/v1/{self.location}" if self.vertex else f"{self.base}/v1beta/models?pageSize=1"

    def about(self, model: str) -> str:
        """The address of what the Gemini API tells about a model."""
        name = quote(model, safe="/@")
        return f"{self.base}/v1beta/{name if '/' in name else f'models/{name}'}"

    def url(self, model: str, method: str) -> str:
        """The address of a method of a model: `generateContent`, `predict` … Models of one's own are named by their
        path: `endpoints/ID`, `publishers/PUBLISHER/models/NAME`, `tunedModels/ID`."""
        name = quote(model, safe="/@")
        if not self.vertex:
            path = name if "/" in name else f"models/{name}"
            return f"{self.base}/v1beta/{path}:{method}"
        if name.startswith("projects/"):
            return f"{self.base}/v1/{name}:{method}"
        path = name if "/" in name else f"publishers/google/models/{name}"
        return f"{self.base}/v1/{self.location}/{path}:{method}"


def endpoints_of(configuration: VertexConfiguration) -> Endpoints:
    """The addresses for a configured resource."""
    if configuration.api_key is not None:
        return Endpoints(configuration.url or GEMINI, "")
    region = configuration.region or ""
    host = "aiplatform.googleapis.com" if region == "global" else f"{region}-aiplatform.googleapis.com"
    project = quote(configuration.project or "", safe=":")
    return Endpoints(configuration.url or f"https://{host}", f"projects/{project}/locations/{quote(region)}")
