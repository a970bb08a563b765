"""What went wrong at an AI service, as a `ServiceError` that a person can act on.

The server's own words are quoted; keys never are, not even when the server repeats them. All services share the meaning
of the statuses; what one of them says in its own way is told by its `Dialect`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from langstream.errors import ServiceError
from langstream.services.ai.retries import asked_wait

LONGEST_QUOTE: Final = 600
_KEY_LIKE: Final = re.compile(
    r"\b(?:sk|pk|key|hf)[-_][\w*.-]{6,}|\bAIza[\w-]{20,}|\bya29\.[\w.-]+|\b(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+|(?i:\bbearer\s+)\S+"
)

_ADVICE: Final = {
    401: "Check `access-key` of the resource.",
    403: "Check that the key may use this model.",
    404: "Check `model` of the agent and `url` of the resource.",
}


def _says_nothing(body: Any) -> float | None:
    return None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one service says in its own way.

    `categories` are those of its error codes; `too_long` are parts of messages, in small letters, that mean that the
    prompt is too long; `advice` belongs to statuses; `wait` finds in the body of a refusal how long to wait.
    """

    categories: Mapping[str, str] = field(default_factory=dict)
    too_long: Sequence[str] = ("maximum context length",)
    advice: Mapping[int, str] = field(default_factory=lambda: _ADVICE)
    wait: Callable[[Any], float | None] = _says_nothing


OPENAI: Final = Dialect(
    {
        "insufficient_quota": "exhausted",  # answered as 429, but waiting does not pay the bill
        "content_policy_violation": "content-filtered",
        "context_length_exceeded": "too-long",
        "string_above_max_length": "too-long",
        "rate_limit_exceeded": "rate-limited",
        "invalid_request_error": "",  # as the status says, but never passing
    }
)


@dataclass(frozen=True, slots=True)
class Source:
    """Who answered, for messages, and what must not be in them."""

    url: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    dialect: Dialect = field(default=OPENAI, repr=False)

    def reported(self, error: Any) -> ServiceError:
        """The error for an error object inside an answer that began as a success."""
        return reported(error, self.url, self.secrets, self.dialect)

    def malformed(self, what: str) -> ServiceError:
        """The error for an answer that makes no sense."""
        return malformed(self.url, what)

    def withheld(self) -> ServiceError:
        """The error for an answer of which a content filter left nothing."""
        message = f"the content filter of the AI service at {place(self.url)} withheld the answer"
        return ServiceError(message, category="content-filtered")

    def broken_off(self) -> ServiceError:
        """The error for an answer without its end."""
        return ServiceError(
            f"the AI service at {place(self.url)} broke the connection off before the end of the answer"
        )


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


def refused(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    url: str,
    secrets: Sequence[str],
    dialect: Dialect = OPENAI,
) -> ServiceError:
    """The error for an answer that is not a success. Header names are in small letters."""
    content = _content(body)
    message, code = _words(content)
    code = headers.get("x-amzn-errortype", code).partition(":")[0]
    category = _category(status, code, message, dialect)
    wait = None
    if category in ("transient", "rate-limited"):
        wait = asked_wait(headers)
        wait = dialect.wait(content) if wait is None else wait
    advice = dialect.advice.get(status, "")
    text = f"the AI service at {place(url)} answered {status}: {_quote(message, secrets)} {advice}".rstrip()
    return ServiceError(text, category=category, retry_after_seconds=wait)


def reported(error: Any, url: str, secrets: Sequence[str], dialect: Dialect = OPENAI) -> ServiceError:
    """The error for an `error` member inside an answer that began as a success."""
    message, code = _words(error)
    status = _status(error)
    category = _category(500 if status is None else status, code, message, dialect)
    text = f"the AI service at {place(url)} reported an error: {_quote(message, secrets)}"
    return ServiceError(text, category=category)


def malformed(url: str, what: str) -> ServiceError:
    """The error for an answer that makes no sense."""
    return ServiceError(f"the answer of the AI service at {place(url)} makes no sense: {what}", category="malformed")


def _category(status: int, code: str, message: str, dialect: Dialect) -> str:
    if any(words in message.lower() for words in dialect.too_long):
        return "too-long"
    if known := dialect.categories.get(code):
        return known
    if "content_filter" in code:
        return "content-filtered"
    if status == 429:
        return "rate-limited"
    if status in (408, 409, 425) or (status >= 500 and code not in dialect.categories):
        return "transient"
    return {401: "authentication", 402: "exhausted", 403: "authentication", 404: "not-found", 413: "too-long"}.get(
        status, "refused"
    )


def _content(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _words(content: Any) -> tuple[str, str]:
    """The message and the code of a refusal of any known shape."""
    if isinstance(content, list) and len(content) == 1:  # Google's streams wrap their errors so
        content = content[0]
    if not isinstance(content, dict):
        return _one_line(content if isinstance(content, str) else _json(content)), ""
    error = content.get("error", content)
    if not isinstance(error, dict):
        return _plain_words(error, content)
    message = error.get("message") or error.get("Message") or error.get("detail") or error.get("type") or ""
    return _one_line(message if isinstance(message, str) else _json(message)), _code(error)


def _plain_words(error: Any, content: Mapping[str, Any]) -> tuple[str, str]:
    """For refusals whose `error` is text: a sentence, or the code of OAuth with a description beside it."""
    text = _one_line(error if isinstance(error, str) else _json(error))
    description = content.get("error_description")
    code = content.get("error_type") or (text if " " not in text else "")
    return f"{text}: {_one_line(description)}" if isinstance(description, str) else text, str(code)


def _code(error: Mapping[str, Any]) -> str:
    """The code with words in it, rather than one that repeats the status."""
    codes = (error.get(name) for name in ("code", "status", "type", "__type"))
    named = [code for code in codes if isinstance(code, str) and code and not code.isdigit()]
    return named[0].rpartition("#")[2] if named else ""


def _status(error: Any) -> int | None:
    if not isinstance(error, dict):
        return None
    for name in ("code", "status", "http_status_code"):
        number = error.get(name)
        if isinstance(number, int) or (isinstance(number, str) and number.isdigit()):
            return int(number)
    return None


def _quote(message: str, secrets: Sequence[str]) -> str:
    return scrubbed(message, secrets)[:LONGEST_QUOTE] or "without a message"


def _json(content: Any) -> str:
    return orjson.dumps(content).decode()


def _one_line(text: str) -> str:
    return " ".join(text.split())
