"""What LangServe answers mean: the text in the answer of `/invoke`, and in each event of `/stream`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from langstream.agents.web.failures import LONGEST_QUOTE, malformed, refused
from langstream.agents.working_record import text_of
from langstream.errors import RecordError
from langstream.services.ai.failures import place
from langstream.services.ai.sse import Event

_ABSENT: Final = object()
_SILENT: Final = ("metadata", "ping")
"""Events that tell about the run, not what the chain says."""


@dataclass(frozen=True, slots=True)
class AnswerReader:
    """Reads the answers of one chain. `content_field` is the member of an object that has the text."""

    url: str
    content_field: str

    def whole(self, text: str) -> str:
        """The text of an answer to `/invoke`. Raises RecordError for an object that has none."""
        answer = _parsed(text)
        if isinstance(answer, str):
            return answer
        if not isinstance(answer, dict):
            return text
        output = answer.get("output")
        if output is not None and not isinstance(output, dict):
            return _text(output)
        for holder in (output or {}, answer):
            if (content := holder.get(self.content_field)) is not None:
                return _text(content)
        raise self._without_content(answer, output)

    def piece(self, event: Event) -> str:
        """The text of an event of `/stream`; empty where it has none. Raises ServiceError for a reported error."""
        if event.name == "error":
            raise self._reported(event.data)
        if event.name in _SILENT or not event.data:
            return ""
        content = _parsed(event.data)
        if isinstance(content, dict):
            content = content.get(self.content_field)
            return "" if content is None else _text(content)
        return content if isinstance(content, str) else event.data

    def _without_content(self, answer: dict[str, Any], output: dict[str, Any] | None) -> RecordError:
        members = ", ".join(sorted(output or answer))[:LONGEST_QUOTE] or "none"
        error = RecordError(
            f"the answer of {place(self.url)} has no member {self.content_field!r}. It has: {members}. "
            "Name the one with the text as `content-field`"
        )
        error.retryable = False
        return error

    def _reported(self, data: str) -> Exception:
        report = _parsed(data)
        status = report.get("status_code") if isinstance(report, dict) else None
        message = report.get("message") if isinstance(report, dict) else None
        return refused(self.url, status if isinstance(status, int) else 500, {}, str(message or data))


def no_stream(url: str) -> Exception:
    """The error for an answer of `/stream` in which there is no event at all."""
    return malformed(url, "it has no events. Does `url` name the `/stream` of a LangServe chain?")


def _parsed(text: str) -> Any:
    """An object or a text, if the JSON is one; `_ABSENT` for everything else, which stays as it is."""
    if not text.lstrip().startswith(("{", '"')):
        return _ABSENT
    try:
        return orjson.loads(text)
    except ValueError:
        return _ABSENT


def _text(content: Any) -> str:
    """Text as it is; all else in its JSON form."""
    return text_of(content) or ""
