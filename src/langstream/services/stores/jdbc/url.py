"""JDBC URLs: which engine, where, and with which properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

ENGINES: Final = ("herddb", "sqlite", "duckdb", "postgresql", "mysql", "mariadb")
SERVERS: Final[Mapping[str, int]] = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
"""The databases that are servers, and their ports."""

DRIVERS: Final[Mapping[str, tuple[str, ...]]] = {
    "herddb.jdbc.Driver": ("herddb",),
    "org.sqlite.JDBC": ("sqlite",),
    "org.duckdb.DuckDBDriver": ("duckdb",),
    "org.postgresql.Driver": ("postgresql",),
    "com.mysql.cj.jdbc.Driver": ("mysql",),
    "com.mysql.jdbc.Driver": ("mysql",),
    "org.mariadb.jdbc.Driver": ("mariadb", "mysql"),
}
"""The databases of the original's driver classes."""


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
    """The server of `//HOST[:PORT][/DATABASE]`, or of `DATABASE` on this machine. Raises ValueError for other forms."""
    match = re.fullmatch(r"//(\[[^\]]+\]|[^:/,@]*)(?::(\d+))?(?:/([^/]*))?|([^/:]+)", location)
    if match is None:
        raise ValueError(f"expected //HOST[:PORT]/DATABASE, got {_shown(location)!r}")
    host, port, database, local = match.groups()
    return Server((host or "").strip("[]") or "localhost", int(port or default_port), unquote(database or local or ""))


def check_driver(driver_class: str, engine: str) -> None:
    """Raises ValueError where a known driver of the original belongs to another database than the URL."""
    meant = DRIVERS.get(driver_class.strip())
    if meant is not None and engine not in meant:
        raise ValueError(f"driverClass {driver_class} is the driver of {meant[0]}, the URL is one of {engine}")


def _shown(url: str) -> str:
    return re.sub(r"(password=)[^&;]*", r"\1***", url)
