"""What went wrong at an AI service, as a `ServiceError` that a person can act on.

The server's own words are quoted; keys never are, not even when the server repeats them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.retries import asked_wait

LONGEST_QUOTE: Final = 600
_KEY_LIKE: Final = re.compile(r"\b(?:sk|pk|key|hf)[-_][\w*.-]{6,}|(?i:\bbearer\s+)\S+")

_ADVICE: Final = {
    401: "Check `access-key` of the resource.",
    403: "Check that the key may use this model.",
    404: "Check `model` of the agent and `url` of the resource.",
}


def place(url: str) -> str:
    """The address without credentials and query, for messages."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def scrubbed(text: str, secrets: Sequence[str] = ()) -> str:
    """The text without the secrets, and without whatever looks like a key."""
    for secret in secrets:
        if len(secret) >= 4:
            text = text.replace(secret, "…")
    return _KEY_LIKE.sub("…", text)


def refused(status: int, headers: Mapping[str, str], body: bytes, url: str, secrets: Sequence[str]) -> ServiceError:
    """The error for an answer that is not a success. Header names are in small letters."""
    message, code = _server_words(body)
    quote = scrubbed(message, secrets)[:LONGEST_QUOTE] or "without a message"
    category = _category(status, code, message)
    wait = asked_wait(headers) if category in ("transient", "rate-limited") else None
    advice = _ADVICE.get(status, "")
    text = f"the AI service at {place(url)} answered {status}: {quote} {advice}".rstrip()
    return ServiceError(text, category=category, retry_after_seconds=wait)


def reported(error: Any, url: str, secrets: Sequence[str]) -> ServiceError:
    """The error for an `error` member inside an answer that began as a success."""
    message, code = _words(error)
    status = _int(code) or (error.get("status") if isinstance(error, dict) else None)
    category = _category(status if isinstance(status, int) else 500, code, message)
    quote = scrubbed(message, secrets)[:LONGEST_QUOTE] or "without a message"
    return ServiceError(f"the AI service at {place(url)} reported an error: {quote}", category=category)


def malformed(url: str, what: str) -> ServiceError:
    """The error for an answer that makes no sense."""
    return ServiceError(f"the answer of the AI service at {place(url)} makes no sense: {what}", category="malformed")


def _category(status: int, code: str, message: str) -> str:
    if code == "insufficient_quota":  # answered as 429, but waiting does not pay the bill
        return "refused"
    if "content_filter" in code or code == "content_policy_violation":
        return "content-filtered"
    if code in ("context_length_exceeded", "string_above_max_length") or "maximum context length" in message:
        return "too-long"
    if status == 429 or code == "rate_limit_exceeded":
        return "rate-limited"
    if status in (408, 409, 425) or (status >= 500 and code != "invalid_request_error"):
        return "transient"
    return {401: "authentication", 403: "authentication", 404: "not-found", 413: "too-long"}.get(status, "refused")


def _server_words(body: bytes) -> tuple[str, str]:
    try:
        answer = orjson.loads(body)
    except ValueError:
        return _one_line(body.decode("utf-8", "replace")), ""
    return _words(answer.get("error", answer) if isinstance(answer, dict) else answer)


def _words(error: Any) -> tuple[str, str]:
    """The message and the code of an error object of any known shape."""
    if not isinstance(error, dict):
        return _one_line(str(error)), ""
    message = error.get("message") or error.get("detail") or error.get("type") or ""
    code = error.get("code") or error.get("type") or ""
    return _one_line(message if isinstance(message, str) else orjson.dumps(message).decode()), str(code)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _int(code: str) -> int | None:
    return int(code) if code.isdigit() else None
