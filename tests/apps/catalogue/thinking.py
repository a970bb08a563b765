"""Servers that think: each speaks a protocol of the fakes in `tests/services/ai`, and answers what it is asked.

Vectors are counts of words (hashed), so that texts with the same words are close, as with a real encoder.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tests.services.ai.bedrock.bedrock_server import BedrockServer
from tests.services.ai.fake_server import FakeServer, Reply
from tests.services.ai.huggingface.hugging_face_server import HuggingFaceServer
from tests.services.ai.ollama.ollama_server import COUNTS, OllamaServer
from tests.services.ai.vertex.google_server import GoogleServer

DIMENSIONS: Final = 64

KEY: Final = "sk-catalogue-secret"
"""What the services want to see; it must not appear anywhere else."""


def vector(text: str) -> list[float]:
    """How often each word occurs, with length 1."""
    counts = [0.0] * DIMENSIONS
    for word in re.findall(r"\w{4,}", text.lower()):
        counts[zlib.crc32(word.encode()) % DIMENSIONS] += 1
    length = math.sqrt(sum(count * count for count in counts)) or 1.0
    return [count / length for count in counts]


def words(text: str) -> list[str]:
    """The text in pieces, as a model would stream it."""
    return re.findall(r"\S+\s*", text)


class OpenAI(FakeServer):
    """Chats, continues texts and computes vectors. `say` makes the answer from the request; of a continued text it
    may give the probability of each word instead."""

    def __init__(self, say: Callable[[dict[str, Any]], str | Sequence[tuple[str, float]]]) -> None:
        super().__init__()
        self.say = say

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        body: dict[str, Any] = request["body"]
        if request["headers"].get("authorization") != f"Bearer {KEY}":
            return Reply(status=401, body={"error": {"message": "no such key", "code": "invalid_api_key"}})
        if request["path"] == "/v1/embeddings":
            data = [{"index": i, "embedding": vector(text)} for i, text in enumerate(body["input"])]
            return Reply(body={"data": data, "usage": {"prompt_tokens": len(data), "total_tokens": len(data)}})
        said = self.say(body)
        if request["path"] == "/v1/chat/completions":
            assert isinstance(said, str)
            self.replies.clear()
            self.chat(*words(said))
            return self.replies.pop()
        assert request["path"] == "/v1/completions"
        return self._continued(words(said) if isinstance(said, str) else said)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """The bodies that were sent to a path."""
        return [request["body"] for request in self.requests if request["path"] == path]

    def _continued(self, said: Sequence[Any]) -> Reply:
        pairs = [(word, -0.01) if isinstance(word, str) else word for word in said]
        events = [
            {
                "id": "cmpl-1",
                "choices": [
                    {"index": 0, "text": word, "logprobs": {"tokens": [word], "token_logprobs": [logprob]}},
                ],
            }
            for word, logprob in pairs
        ]
        end = {"id": "cmpl-1", "choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
        pieces = [self.event(event) for event in (*events, end, "[DONE]")]
        return Reply(pieces=pieces, content_type="text/event-stream")


class Ollama(OllamaServer):
    """Chats, and computes vectors."""

    def __init__(self, say: Callable[[dict[str, Any]], str]) -> None:
        super().__init__()
        self.say = say

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        body: dict[str, Any] = request["body"]
        if request["path"] == "/api/embed":
            vectors = [vector(text) for text in body["input"]]
            return Reply(body={"embeddings": vectors, "prompt_eval_count": COUNTS["prompt_eval_count"]})
        assert request["path"] == "/api/chat"
        self.replies.clear()
        self.chat(*words(self.say(body)))
        return self.replies.pop()


class Bedrock(BedrockServer):
    """One model with the layout of AI21."""

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        assert request["headers"]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
        if request["raw_path"] != "/model/ai21.j2-mid-v1/invoke":
            return Reply(status=404, body={"message": "no such model"})
        text = f"\nOf {request['body']['prompt']} I know nothing."
        return Reply(body={"id": 1, "completions": [{"data": {"text": text}}], "prompt": None})


class HuggingFace(HuggingFaceServer):
    """The hub's facts about a model, and feature extraction."""

    model = "sentence-transformers/multilingual-e5-small"

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        if request["headers"].get("authorization") != f"Bearer {KEY}":
            return Reply(status=401, body={"error": "Invalid credentials"})
        if request["path"] == f"/api/models/{self.model}":
            return Reply(body={"modelId": self.model, "tags": ["sentence-transformers", "pytorch"]})
        assert request["path"] == f"/vectors/{self.model}"
        return Reply(body=[vector(text) for text in request["body"]["inputs"]])


class Google(GoogleServer):
    """Predictions of one model."""

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        path = "/v1/projects/the-project/locations/us-central1/publishers/google/models/text-bison:predict"
        if request["headers"].get("authorization") != f"Bearer {KEY}" or request["path"] != path:
            return Reply(status=403, body={"error": {"code": 403, "message": "no", "status": "PERMISSION_DENIED"}})
        (instance,) = request["body"]["instances"]
        return Reply(body={"predictions": [{"content": f"predicted: {instance['prompt']}"}]})


class Pages(FakeServer):
    """Whatever a function answers."""

    def __init__(self, answer: Callable[[Mapping[str, Any]], Reply]) -> None:
        super().__init__()
        self._answer = answer

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        return self._answer(request)


class Loop:
    """An event loop in a thread, for servers beside tests that wait."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers: list[FakeServer] = []

    def serve(self, server: FakeServer) -> None:
        """Start a server; it runs until `close`."""
        asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(30)
        self._servers.append(server)

    def close(self) -> None:
        """Stop the servers, and the thread."""
        for server in self._servers:
            asyncio.run_coroutine_threadsafe(server.close(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()
