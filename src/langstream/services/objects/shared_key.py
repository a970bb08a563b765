"""The signature that Azure Storage makes with an account key (`SharedKey`), and reading connection strings."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

_STANDARD = (
    "Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type", "Date",
    "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range",
)  # fmt: skip


def sign(
    *, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], account: str, key: str
) -> str:
    """The value of the header `Authorization`. `path` is the percent-encoded path of the request."""
    given = {name.lower(): value for name, value in headers.items()}
    standard = [given.get(name.lower(), "") for name in _STANDARD]
    special = [f"{name}:{given[name].strip()}" for name in sorted(given) if name.startswith("x-ms-")]
    resource = [f"/{account}{path}"] + [f"{name.lower()}:{query[name]}" for name in sorted(query)]
    text = "\n".join([method, *standard, *special, *resource])
    mac = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return f"SharedKey {account}:{base64.b64encode(mac).decode()}"


def is_account_key(text: str) -> bool:
    """Whether the text is Base64, as account keys are."""
    try:
        return bool(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return False


def parse_connection_string(text: str) -> dict[str, str]:
    """Names (in lower case) and values of `Name=Value;Name=Value`; values may contain `=`."""
    parts = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in parts}
