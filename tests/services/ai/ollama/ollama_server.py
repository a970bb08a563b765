"""A server that speaks the protocol of Ollama: one JSON document per line."""

from __future__ import annotations

from typing import Any, Final

import orjson

from langstream.services.ai.ollama.configuration import OllamaConfiguration
from langstream.services.ai.ollama.service import OllamaService
from langstream.services.ai.retries import RetryPolicy
from tests.services.ai.fake_server import FakeServer, Reply

KEY: Final = "ollama-very-secret"
COUNTS: Final = {"prompt_eval_count": 7, "eval_count": 3}


def line(content: Any) -> bytes:
    return content if isinstance(content, bytes) else orjson.dumps(content) + b"\n"


def message(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", "content": text}, "done": False, **more}


class OllamaServer(FakeServer):
    name = "ollama"
    secrets = (KEY,)

    def lines(self, *contents: Any, **options: Any) -> None:
        """Answer with these lines."""
        self.replies.append(
            Reply(pieces=[line(content) for content in contents], content_type="application/x-ndjson", **options)
        )

    def chat(self, *texts: str, finish: Any = "stop", **options: Any) -> None:
        end = [] if finish is None else [message("", done=True, done_reason=finish, **COUNTS)]
        self.lines(*(message(text) for text in texts), *end, **options)

    def whole(self, text: str) -> None:
        self.answers(message(text, done=True, done_reason="stop", **COUNTS))

    def refuse(self, status: int, words: str, **options: Any) -> None:
        self.answers({"error": words}, status=status, **options)

    def service(self, retries: RetryPolicy | None = None, **options: Any) -> OllamaService:
        configuration = {"url": f"{self.url}/", "access-key": KEY, **options}
        return OllamaService(OllamaConfiguration.model_validate(configuration), retries)
