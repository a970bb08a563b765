"""What clients of HTTP services share: proxies, and connection failures in words."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from langstream.errors import ServiceError

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "[::1]")


def unreachable(
    error: Exception, where: str, *, connect_seconds: float, silence: str, advice: str = ""
) -> ServiceError:
    """The ServiceError for what `aiohttp` raised while `where` was asked; `silence` tells what a timeout means."""
    import aiohttp

    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return ServiceError(f"{where} cannot be reached within {connect_seconds:g} s")
    if isinstance(error, TimeoutError):
        return ServiceError(f"{where} {silence}")
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return ServiceError(f"{where} cannot be trusted: {error}", category="refused")
    if isinstance(error, aiohttp.InvalidURL):
        return ServiceError(f"{where} has no valid address: check `url` of the resource", category="refused")
    if isinstance(error, aiohttp.ClientConnectorError):
        return ServiceError(f"{where} cannot be reached: {reason_of(error.os_error)}{advice}")
    return ServiceError(f"{where} broke the connection off before the end of the answer")


def reason_of(error: OSError) -> str:
    """Why a connection could not be made, in words."""
    if isinstance(error, socket.gaierror):
        return "its host name is unknown"
    return error.strerror or str(error) or type(error).__name__


def proxy_for(url: str) -> str | None:
    """The proxy of the environment (`HTTPS_PROXY`, `NO_PROXY`), never for this machine itself."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _LOOPBACK:
        return None
    proxies = getproxies()
    return None if not proxies or proxy_bypass(host) else proxies.get(parts.scheme)
