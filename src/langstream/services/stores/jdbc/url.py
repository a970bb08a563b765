"""JDBC URLs: which engine, where, and with which properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

ENGINES: Final = ("herddb", "sqlite", "duckdb", "postgresql")


@dataclass(frozen=True, slots=True)
class JdbcUrl:
    """`jdbc:<engine>:<location>[?properties]`, taken apart."""

    engine: str
    location: str
    properties: Mapping[str, str] = field(default_factory=dict)


def parse_url(url: str) -> JdbcUrl:
    """Raises ValueError, with what was expected, for a URL of another form or an engine that is not supported."""
    match = re.fullmatch(r"jdbc:([a-z0-9]+):(.*)", url.strip(), re.DOTALL)
    if match is None:
        raise ValueError(f"{_shown(url)!r} is not a JDBC URL: expected jdbc:ENGINE:LOCATION")
    engine, rest = match.groups()
    if engine not in ENGINES:
        raise ValueError(f"JDBC URLs of {engine!r} are not supported; supported: {', '.join(ENGINES)}")
    location, _, query = rest.partition("?")
    return JdbcUrl(engine, location, dict(parse_qsl(query, keep_blank_values=True)))


@dataclass(frozen=True, slots=True)
class Server:
    """Host, port and database of a server URL (`//host:port/database`)."""

    host: str
    port: int
    database: str


def parse_server(location: str, default_port: int) -> Server:
    """Raises ValueError for a location that names no database."""
    match = re.fullmatch(r"//(\[[^\]]+\]|[^:/]*)(?::(\d+))?/([^/]*)", location)
    if match is None:
        raise ValueError(f"expected //HOST[:PORT]/DATABASE, got {location!r}")
    host, port, database = match.groups()
    return Server(host.strip("[]") or "localhost", int(port or default_port), unquote(database))


def _shown(url: str) -> str:
    return re.sub(r"(password=)[^&;]*", r"\1***", url)
