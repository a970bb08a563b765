"""The options that the HTTP agents share, checked when the application is planned."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, field_validator

from langstream.agents.ai.options import FieldName
from langstream.configuration.model import Configuration, Template

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OF_THE_CONNECTION: Final = ("connection", "content-length", "expect", "transfer-encoding", "upgrade")
"""Headers that follow from the request itself; a wrong one would break the conversation with the server."""


def _is_address(url: str) -> str:
    url = url.strip()
    if "{{" in url:
        raise ValueError("it is no template: what changes from record to record goes to the query, headers or body")
    if not _usable(url):
        raise ValueError("expected an address such as https://example.com/path")
    return url


def _usable(url: str) -> bool:
    from yarl import URL

    try:
        parts = URL(url)
        return parts.scheme in ("http", "https") and bool(parts.host) and parts.explicit_port != 0
    except ValueError:  # brackets, blanks or a port that make no sense
        return False


def _is_method(method: str) -> str:
    if not _TOKEN.fullmatch(method):
        raise ValueError("expected an HTTP method such as GET or POST")
    return method.upper()


Address = Annotated[str, AfterValidator(_is_address)]
"""Where requests go: an absolute HTTP address."""

Method = Annotated[str, AfterValidator(_is_method)]
"""The verb of a request."""


class WebConfiguration(Configuration):
    """Everything about a request but what is asked."""

    url: Address = Field(description="Where requests go. It is taken as it is, not a template.")
    output_field: FieldName = Field(
        description="Where the answer goes: `value`, `key`, `value.NAME`, `key.NAME` or `properties.NAME`."
    )
    headers: dict[str, Template] = Field({}, description="Headers of the request. The values are templates.")
    allow_redirects: bool = Field(
        True, description="Follow redirects, up to 10, but never from https to http. Otherwise they are the answer."
    )
    handle_cookies: bool = Field(
        True, description="Send cookies that a redirect set on to where it leads. Records never share cookies."
    )
    timeout_seconds: float = Field(
        300, gt=0, le=86_400, description="How long an answer may take in all; with a stream, its next piece."
    )

    concurrency: int = Field(
        64,
        ge=1,
        le=10_000,
        description="Requests under way at one time; they wait for the service, not for this process.",
    )

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, Any]) -> dict[str, Any]:
        for name in headers:
            if not _TOKEN.fullmatch(name):
                raise ValueError("a header's name has letters, digits and hyphens only")
            if name.lower() in _OF_THE_CONNECTION:
                raise ValueError(f"the header {name} follows from the request and cannot be set: remove it")
        return headers
