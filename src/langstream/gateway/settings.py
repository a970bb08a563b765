"""What an operator may set about the gateway, with defaults that suit one server.

Every limit has its unit in its name and, beside it, the failure that it prevents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MEBIBYTE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Settings of one gateway server."""

    max_connections: int = 10_000
    """Sockets and requests under way; more are refused with 503, so that one client cannot take every descriptor."""
    max_message_bytes: int = 16 * MEBIBYTE
    """One WebSocket message; a larger one closes the socket with 1009."""
    max_body_bytes: int = 128 * MEBIBYTE
    """One HTTP message; larger ones are refused with 413. Bodies for service agents are streamed and not limited."""
    messages_per_second: float = 5_000.0
    """Of one socket; a faster client is not refused but read more slowly. 0: no limit."""
    ping_interval_seconds: float = 30.0
    """A silent connection is probed this often, so that proxies keep it open."""
    ping_timeout_seconds: float = 120.0
    """A peer that answers no probe for so long is gone; its session is released."""

    session_records: int = 1_000
    """Records waiting for one slow client; then its session reads the topic by itself, at the client's pace."""
    session_bytes: int = 4 * MEBIBYTE
    """The same limit in bytes of JSON."""
    linger_seconds: float = 10.0
    """How long the shared reader of a topic outlives its last session."""
    answer_timeout_seconds: float = 300.0
    """How long a chat over server-sent events waits for the next answer."""

    producer_cache_enabled: bool = True
    producer_cache_size: int = 100
    producer_cache_seconds: float = 600.0
    """Idle producers are closed after this time."""

    cors_origins: tuple[str, ...] = ("*",)
    """Origins whose pages may use the gateway; browsers never send it cookies. Restricting it also checks the `Origin`
    header of WebSocket handshakes."""

    test_provider: str | None = None
    """The authentication provider that judges `test-credentials`; None: test mode is off."""
    test_provider_configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)

    stop_seconds: float = 5.0
    """How long a stopping server waits for requests under way."""
