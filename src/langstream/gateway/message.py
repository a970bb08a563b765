"""Messages from clients: `{"key", "value", "headers"}` as JSON, or plain text as the value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message as ContentType
from typing import Any, Final

from langstream.configuration.validation import did_you_mean
from langstream.errors import GatewayError
from langstream.records import header_text, parse_json

MEMBERS: Final = ("key", "value", "headers")
_TEXT_TYPES: Final = ("text/plain", "application/x-www-form-urlencoded")


class BadMessage(GatewayError):
    """The client's message cannot be used; the connection stays usable."""

    def __init__(self, reason: str, status: int = 400) -> None:
        super().__init__(status, reason)


@dataclass(frozen=True, slots=True)
class Message:
    """What a client wants written."""

    key: Any = None
    value: Any = None
    headers: Mapping[str, str | None] = field(default_factory=dict)


def parse_message(text: str | bytes) -> Message:
    """The message written as JSON. Raises BadMessage."""
    try:
        content = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"Error while parsing JSON payload: {error}") from None
    if not isinstance(content, dict):
        raise BadMessage("Error while parsing JSON payload: expected an object with key, value and headers")
    for name in content:
        if name not in MEMBERS:
            hint = did_you_mean(name, MEMBERS) or "Known members: key, value, headers."
            raise BadMessage(f"Error while parsing JSON payload: unknown member '{name}'. {hint}")
    message = Message(content.get("key"), content.get("value"), _headers(content.get("headers")))
    if message.key is None and message.value is None:
        raise BadMessage("Either key or value must be set.")
    return message


def message_of_body(content_type: str | None, body: bytes) -> Message:
    """The message in an HTTP body. curl's default type (a form) is taken as text: nobody posts forms here."""
    parsed = ContentType()
    parsed["Content-Type"] = content_type or "text/plain"
    media_type = parsed.get_content_type() if content_type else "text/plain"
    if media_type == "application/json" or media_type.endswith("+json"):
        return parse_message(_decoded(body, parsed.get_content_charset()))
    if media_type not in _TEXT_TYPES:
        raise BadMessage(
            f"Unsupported content type {media_type}: send application/json, or text/plain for a bare value", 415
        )
    if not body:
        raise BadMessage("Either key or value must be set. The body is empty.")
    return Message(value=_decoded(body, parsed.get_content_charset()))


def _decoded(body: bytes, charset: str | None) -> str:
    try:
        return body.decode(charset or "utf-8")
    except (UnicodeDecodeError, LookupError):
        raise BadMessage(f"the body is not {charset or 'utf-8'} text") from None


def _headers(headers: Any) -> dict[str, str | None]:
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        raise BadMessage("Error while parsing JSON payload: headers must be an object of texts")
    for name, value in headers.items():
        if isinstance(value, dict | list):
            raise BadMessage(f"Error while parsing JSON payload: header '{name}' must be a text")
    return {name: header_text(value) for name, value in headers.items()}
