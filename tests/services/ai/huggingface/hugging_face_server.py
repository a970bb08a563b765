"""A server that speaks the protocols of Hugging Face: chat as OpenAI does, text generation, feature extraction."""

from __future__ import annotations

from typing import Any, Final

from langstream.services.ai.huggingface.configuration import HuggingFaceConfiguration
from langstream.services.ai.huggingface.service import HuggingFaceService
from langstream.services.ai.local.engine import Engines
from langstream.services.ai.retries import RetryPolicy
from tests.services.ai.fake_server import FakeServer

KEY: Final = "hf_verysecrettoken"
COUNTS: Final = {"prompt_tokens": 7, "completion_tokens": 3}


def token(text: str, **more: Any) -> dict[str, Any]:
    return {"index": 1, "token": {"id": 1, "text": text, "logprob": -0.5, "special": False}, **more}


class HuggingFaceServer(FakeServer):
    name = "hugging-face"
    secrets = (KEY,)

    def chat(self, *texts: str, finish: Any = "stop", **options: Any) -> None:
        events: list[Any] = [{"id": "c-1", "choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
        if finish is not None:
            events.append({"id": "c-1", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
            events += [{"id": "c-1", "choices": [], "usage": COUNTS}, "[DONE]"]
        self.streams(*events, **options)

    def whole(self, text: str) -> None:
        self.answers({"id": "c-1", "choices": [{"message": {"content": text}}], "usage": COUNTS})

    def refuse(self, status: int, words: str, **options: Any) -> None:
        self.answers({"error": words}, status=status, **options)

    def service(
        self, retries: RetryPolicy | None = None, engines: Engines | None = None, **options: Any
    ) -> HuggingFaceService:
        return self.made(HuggingFaceService, retries, engines, **options)

    def made(
        self,
        service: type[HuggingFaceService],
        retries: RetryPolicy | None,
        engines: Engines | None = None,
        **options: Any,
    ) -> HuggingFaceService:
        configuration = {"inference-url": self.url, "api-url": f"{self.url}/vectors/", "access-key": KEY, **options}
        return service(HuggingFaceConfiguration.model_validate(configuration), engines or Engines(), retries)


class GenerationServer(HuggingFaceServer):
    """The same, asked for text generation: answers of chat are those of the other protocol."""

    name = "hugging-face-text"

    def chat(self, *texts: str, finish: Any = "eos_token", **options: Any) -> None:
        end = []
        if finish is not None:
            details = {"finish_reason": finish, "generated_tokens": 3, "input_length": 7}
            end = [{**token("</s>", generated_text="".join(texts), details=details)}]
            end[0]["token"]["special"] = True
        self.streams(*(token(text, generated_text=None) for text in texts), *end, **options)

    def whole(self, text: str) -> None:
        details = {"finish_reason": "length", "generated_tokens": 3, "prefill": [{"id": i} for i in range(7)]}
        self.answers([{"generated_text": text, "details": details}])
