"""The client library of Milvus, on threads of its own, and its failures as ServiceErrors."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from langstream.errors import ServiceError
from langstream.services.ai.failures import scrubbed
from langstream.services.stores.milvus.configuration import MilvusConfiguration
from langstream.services.stores.threads import Threads

Result = TypeVar("Result")

_TRANSIENT: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED", "UNKNOWN"})
_NOT_LET_IN: Final = re.compile(r"auth check failure|unauthenticated", re.IGNORECASE)
_RATE_LIMIT: Final = 8
_NOT_FOUND: Final = (100, 800)  # collection, database


class MilvusConnection:
    """A client per database. Calls run on threads: the library blocks, and is safe to use from several."""

    def __init__(self, configuration: MilvusConfiguration) -> None:
        self._configuration = configuration
        self._threads = Threads("milvus", 8)
        self._clients: dict[str, Any] = {}

    async def start(self) -> None:
        """Connect to the default database."""
        await self.call(lambda client, timeout: client.list_collections(timeout=timeout))

    async def close(self) -> None:
        """Close every client."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await self._threads.run(client.close)
        await self._threads.close()

    async def call(self, work: Callable[[Any, float], Result], database: str = "") -> Result:
        """The result of `work(client, timeout)`. Raises ServiceError."""
        name = database or self._configuration.database_name

        def run() -> Result:
            try:
                return work(self._client(name), self._configuration.timeout_seconds)
            except ServiceError:
                raise
            except Exception as error:  # the library raises its own, those of grpc, and plain ones
                raise self._failure(error) from None

        return await self._threads.run(run)

    def _client(self, database: str) -> Any:
        client = self._clients.get(database)
        if client is None:
            client = self._clients[database] = self._connected(database)
        return client

    def _connected(self, database: str) -> Any:
        try:
            from pymilvus import MilvusClient
        except ImportError:
            raise ServiceError(
                "the Milvus client is not installed: pip install 'langstream[milvus]'", category="refused"
            ) from None
        configuration = self._configuration
        if configuration.uri:
            Path(configuration.uri).parent.mkdir(parents=True, exist_ok=True)
        logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # it logs what it raises, with the stack
        return MilvusClient(
            configuration.address(),
            token=configuration.credential(),
            db_name=database,
            timeout=configuration.timeout_seconds,
        )

    def _failure(self, error: Exception) -> ServiceError:
        configuration = self._configuration
        text = str(getattr(error, "message", "") or error)
        text = " ".join(re.sub(r"\[\w+\] Retry (?:timeout|run out of)[^,]*, (?:message=)?", "", text).split())
        where = re.sub(r"//[^/@]*@", "//", configuration.address())
        secrets = [secret for secret in (configuration.password, configuration.token) if secret]
        return ServiceError(f"Milvus at {where}: {scrubbed(text, secrets)[:600]}", category=_category(error, text))


def _category(error: Exception, text: str) -> str:
    code = getattr(error, "code", None)
    code = code() if callable(code) else code
    name = getattr(code, "name", "")
    if name in ("UNAUTHENTICATED", "PERMISSION_DENIED") or _NOT_LET_IN.search(text):
        return "authentication"
    if code == _RATE_LIMIT:
        return "rate-limited"
    if code in _NOT_FOUND:
        return "not-found"
    kind = type(error).__name__
    unreachable = kind in ("MilvusUnavailableException", "ConnectError") or "Fail connecting to server" in text
    if name in _TRANSIENT or unreachable or getattr(error, "retriable", False) or isinstance(error, OSError):
        return "transient"
    return "refused"
