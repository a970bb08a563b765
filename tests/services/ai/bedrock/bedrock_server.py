"""A server that speaks the protocol of Bedrock: JSON, and streams of binary frames with checksums."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from langstream.services.ai.bedrock.configuration import BedrockConfiguration
from langstream.services.ai.bedrock.service import BedrockService
from langstream.services.ai.retries import RetryPolicy
from tests.services.ai.fake_server import FakeServer, Reply

ACCESS: Final = "AKIDTESTACCESSKEY"
SECRET: Final = "aws-very-secret"
COUNTS: Final = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
KINDS: Final = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}


def frame(headers: Mapping[str, Any], payload: bytes) -> bytes:
    """One frame. Header values are text, numbers (as 4 bytes) or booleans."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return start + struct.pack(">I", zlib.crc32(start))


def event(kind: str, content: Any) -> bytes:
    payload = content if isinstance(content, bytes) else orjson.dumps(content)
    return frame({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(kind: str, message: str) -> bytes:
    return frame({":exception-type": kind, ":message-type": "exception"}, orjson.dumps({"message": message}))


def delta(text: str) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}, "p": "abcdef"})


def chunk(content: Any) -> bytes:
    """A piece of the stream of InvokeModel."""
    return event("chunk", {"bytes": base64.b64encode(orjson.dumps(content)).decode()})


def _header(name: str, value: Any) -> bytes:
    start = bytes([len(name)]) + name.encode()
    if isinstance(value, bool):
        return start + bytes([0 if value else 1])
    if isinstance(value, int):
        return start + b"\x04" + struct.pack(">i", value)
    text = str(value).encode()
    return start + b"\x07" + struct.pack(">H", len(text)) + text


class BedrockServer(FakeServer):
    name = "bedrock"
    secrets = (SECRET, ACCESS)

    def frames(self, *frames: bytes, **options: Any) -> None:
        """Answer with these frames."""
        self.replies.append(Reply(pieces=frames, content_type="application/vnd.amazon.eventstream", **options))

    def chat(self, *texts: str, finish: Any = "end_turn", **options: Any) -> None:
        end = [
            event("contentBlockStop", {"contentBlockIndex": 0}),
            event("messageStop", {"stopReason": finish}),
            event("metadata", {"usage": COUNTS, "metrics": {"latencyMs": 5}}),
        ]
        start = event("messageStart", {"role": "assistant"})
        self.frames(start, *(delta(text) for text in texts), *(end if finish is not None else ()), **options)

    def whole(self, text: str) -> None:
        message = {"role": "assistant", "content": [{"text": text}]}
        self.answers({"output": {"message": message}, "stopReason": "end_turn", "usage": COUNTS})

    def refuse(self, status: int, words: str, headers: Mapping[str, str] | None = None, kind: str = "") -> None:
        name = f"{kind or KINDS[status]}:http://internal.amazon.com/coral/com.amazon.bedrock/"
        self.answers({"message": words}, status=status, headers={"x-amzn-ErrorType": name, **(headers or {})})

    def service(self, retries: RetryPolicy | None = None, **options: Any) -> BedrockService:
        configuration = {"endpoint-override": self.url, "access-key": ACCESS, "secret-key": SECRET, **options}
        return BedrockService(BedrockConfiguration.model_validate(configuration), retries)
