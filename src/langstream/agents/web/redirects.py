"""Redirects: the request that follows another one, and the cookies that go along.

The client's own way of following is not used, because it would go from https to http, hand credentials in headers of
any name on to other servers, and keep cookies for all records.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from langstream.agents.web.request import Request
from langstream.errors import ServiceError
from langstream.services.ai.failures import place

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

_STATUSES: Final = (301, 302, 303, 307, 308)
_CREDENTIAL: Final = re.compile(r"auth|cookie|credential|key|password|secret|session|token", re.IGNORECASE)


def redirected(request: Request, status: int, location: str | None) -> Request | None:
    """The request that the answer to this one asks for; None where it asks for none.

    Raises ServiceError for a place that must not be gone to.
    """
    if status not in _STATUSES or not location:
        return None
    from yarl import URL

    origin = URL(request.url, encoded=True)
    target = _target(origin, location)
    headers = dict(request.headers if _same_server(origin, target) else _public(request.headers))
    if (status == 303 and request.method != "HEAD") or (status in (301, 302) and request.method == "POST"):
        headers = {name: text for name, text in headers.items() if not name.lower().startswith("content-")}
        return Request("GET", str(target), headers)
    return Request(request.method, str(target), headers, request.body)


def _target(origin: URL, location: str) -> URL:
    from yarl import URL

    where = f"{place(str(origin))} redirects to"
    try:
        target = origin.join(URL(location.strip())).with_fragment(None)
        if target.scheme in ("http", "https"):
            target = target.with_user(None)  # whom to be, the application says
    except ValueError:
        raise ServiceError(f"{where} no valid address", category="refused") from None
    if target.scheme not in ("http", "https"):
        raise ServiceError(f"{where} a {target.scheme} address, which is not followed", category="refused")
    if origin.scheme == "https" and target.scheme == "http":
        message = f"{where} {place(str(target))}, which is not followed: it is not protected as the request was"
        raise ServiceError(message, category="refused")
    return target


def _same_server(origin: URL, target: URL) -> bool:
    """Whether the target is where the request was meant for, or the same host in its protected form."""
    protected = origin.scheme == "http" and target.scheme == "https" and origin.host == target.host
    return target.origin() == origin.origin() or (protected and origin.is_default_port() and target.is_default_port())


def _public(headers: Mapping[str, str]) -> Mapping[str, str]:
    """The headers that another server may see."""
    return {name: text for name, text in headers.items() if name.lower() != "host" and not _CREDENTIAL.search(name)}


class Cookies:
    """The cookies set while one request is redirected."""

    def __init__(self) -> None:
        self._jar: aiohttp.CookieJar | None = None

    def take(self, response: aiohttp.ClientResponse) -> None:
        """Keep what the answer sets."""
        if not response.cookies:
            return
        if self._jar is None:
            import aiohttp

            self._jar = aiohttp.CookieJar(unsafe=True)  # servers named by number are fine
        self._jar.update_cookies(response.cookies, response.url)

    def headers(self, request: Request) -> Mapping[str, str]:
        """The headers of the request, with the cookies for its place."""
        if self._jar is None:
            return request.headers
        from yarl import URL

        fitting = self._jar.filter_cookies(URL(request.url, encoded=True))
        texts = [f"{cookie.key}={cookie.coded_value}" for cookie in fitting.values()]
        headers = dict(request.headers)
        for name in [name for name in headers if name.lower() == "cookie"]:
            texts.insert(0, headers.pop(name))
        return {**headers, "Cookie": "; ".join(texts)} if texts else headers
