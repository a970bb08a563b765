"""Requests, and how they are made of records: templates compiled once, rendered per record."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, unquote, urlsplit, urlunsplit

from langstream.agents.working_record import WorkingRecord
from langstream.errors import RecordError
from langstream.templates import TemplateError, compile_template

_UNSENDABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What would end a header and begin another, or is refused by servers."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `url` is encoded already; headers and body may hold secrets."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


class RequestTemplate:
    """Makes requests of records. `headers`, `query` and `body` are templates."""

    def __init__(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: str | None = None,
    ) -> None:
        self._method = method
        self._url, credentials = _address(url)
        self._headers = {name: compile_template(text) for name, text in (headers or {}).items()}
        if credentials and not any(name.lower() == "authorization" for name in self._headers):
            self._headers["Authorization"] = lambda _: credentials
        self._query = [(quote_plus(name), name, compile_template(text)) for name, text in (query or {}).items()]
        self._body = compile_template(body) if body is not None else None

    def render(self, working: WorkingRecord, body: bytes | None = None) -> Request:
        """The request for the record; `body` goes before the template. Raises RecordError."""
        headers = {name: _header(name, template, working) for name, template in self._headers.items()}
        if self._body is not None and body is None:
            body = _rendered("body", self._body, working).encode("utf-8", "replace")
        return Request(self._method, self._with_query(working), headers, body)

    def _with_query(self, working: WorkingRecord) -> str:
        pairs = "&".join(self._pairs(working))
        if not pairs:
            return self._url
        if "?" not in self._url:
            return f"{self._url}?{pairs}"
        return f"{self._url}{'' if self._url.endswith(('?', '&')) else '&'}{pairs}"

    def _pairs(self, working: WorkingRecord) -> Iterator[str]:
        for encoded, name, template in self._query:
            text = _rendered(f"query-string {name}", template, working)
            yield f"{encoded}={quote_plus(text, errors='replace')}"


def _address(url: str) -> tuple[str, str | None]:
    """The encoded address without fragment and user, and the Authorization header that the user stands for."""
    from yarl import URL

    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    address = str(URL(urlunsplit((parts.scheme, place, parts.path or "/", parts.query, ""))))
    if not at:
        return address, None
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}".encode()
    return address, f"Basic {base64.b64encode(pair).decode()}"


def _header(name: str, template: Callable[[Any], str], working: WorkingRecord) -> str:
    text = _rendered(f"header {name}", template, working).strip()
    if _UNSENDABLE.search(text):
        raise _refused(f"header {name}: the text has a line break or another character that a header cannot have")
    return text.encode("utf-8", "replace").decode()


def _rendered(place: str, template: Callable[[Any], str], working: WorkingRecord) -> str:
    try:
        return template(working)
    except TemplateError as error:
        raise _refused(f"{place}: {error}") from error


def _refused(message: str) -> RecordError:
    error = RecordError(message)
    error.retryable = False  # the same record gives the same request
    return error
