"""AWS Signature Version 4, as header fields of a request.

The signature covers the method, the address byte for byte as it is sent, the given headers and the body.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AWS access key; with `session_token` a temporary one."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs for one service in one region."""

    credentials: Credentials
    region: str
    service: str

    def headers(
        self, method: str, url: str, headers: Mapping[str, str], payload: bytes, moment: datetime
    ) -> dict[str, str]:
        """The given headers and those that the signature adds, `Host` among them."""
        stamp = moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        added = {"Host": host_of(url), "X-Amz-Date": stamp}
        if self.credentials.session_token is not None:
            added["X-Amz-Security-Token"] = self.credentials.session_token
        complete = {**headers, **added}
        signed = {name.lower(): " ".join(value.split()) for name, value in complete.items()}
        names = ";".join(sorted(signed))
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        digest = _digest(canonical_request(method, url, signed, payload).encode())
        signature = hmac.new(self._key(stamp[:8]), f"{ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode(), "sha256")
        complete["Authorization"] = (
            f"{ALGORITHM} Credential={self.credentials.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature.hexdigest()}"
        )
        return complete

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.credentials.secret_key}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        return key


def canonical_request(method: str, url: str, headers: Mapping[str, str], payload: bytes) -> str:
    """The text whose digest is signed. Header names are in small letters. The path is escaped once more than it is
    on its way, as all services but S3 want it."""
    parts = urlsplit(url)
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = "&".join(sorted(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in pairs))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    path = quote(parts.path or "/", safe="/~")
    return "\n".join((method, path, query, lines, ";".join(sorted(headers)), _digest(payload)))


def host_of(url: str) -> str:
    """The header `Host` for the address."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
