"""What went wrong with a request, as a `ServiceError` that a person can act on and the runtime can retry by.

Addresses are shown without user and query, which may be credentials; of an answer the beginning is quoted.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from langstream.errors import ServiceError
from langstream.services.ai.failures import place, scrubbed
from langstream.services.ai.retries import asked_wait
from langstream.services.network import reason_of

LONGEST_QUOTE: Final = 300
"""Characters of an answer in a message."""

_TRANSIENT: Final = (408, 423, 425)
_PERMANENT: Final = (501, 505, 511)
_CATEGORIES: Final[Mapping[int, str]] = {
    401: "authentication",
    403: "authentication",
    404: "not-found",
    407: "authentication",
    410: "not-found",
    413: "too-long",
    414: "too-long",
    429: "rate-limited",
    431: "too-long",
}


def refused(url: str, status: int, headers: Mapping[str, str], text: str) -> ServiceError:
    """The error for a status that is not a success."""
    category = _category(status)
    wait = asked_wait({name.lower(): value for name, value in headers.items()})
    quote = scrubbed(" ".join(text.split())[: 2 * LONGEST_QUOTE])[:LONGEST_QUOTE]
    return ServiceError(
        f"{place(url)} answered {status}{f': {quote}' if quote else ''}",
        category=category,
        retry_after_seconds=wait if category in ("transient", "rate-limited") else None,
    )


def _category(status: int) -> str:
    if status in _TRANSIENT or (status >= 500 and status not in _PERMANENT):
        return "transient"
    return _CATEGORIES.get(status, "refused")


def malformed(url: str, what: str) -> ServiceError:
    """The error for an answer that makes no sense."""
    return ServiceError(f"the answer of {place(url)} makes no sense: {what}", category="malformed")


def too_long(url: str, limit: int) -> ServiceError:
    """The error for an answer without end."""
    return ServiceError(f"the answer of {place(url)} is longer than {limit // 2**20} MiB", category="too-long")


def too_slow(url: str, seconds: float) -> ServiceError:
    """The error for an answer that does not come."""
    return ServiceError(f"{place(url)} did not answer within {seconds:g} s (`timeout-seconds`)")


def broken(error: Exception, url: str, timeout_seconds: float) -> ServiceError:
    """The error for what the HTTP client raised."""
    import aiohttp

    where = place(url)
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ServiceError(f"{where} cannot be reached: nobody answers there")
    if isinstance(error, TimeoutError):
        return too_slow(url, timeout_seconds)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return ServiceError(f"{where} cannot be trusted: {error}", category="refused")
    if isinstance(error, aiohttp.ClientConnectorError):
        return ServiceError(f"{where} cannot be reached: {reason_of(error.os_error)}. Check `url`.")
    if isinstance(error, aiohttp.InvalidURL):
        return ServiceError(f"{where} is no valid address: check `url`", category="refused")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ServiceError(f"{where} cannot be reached: the proxy answered {error.status}")
    if isinstance(error, aiohttp.ClientResponseError):
        return malformed(url, "it is not HTTP as it should be")
    return ServiceError(f"{where} broke the connection off before the end of its answer")
