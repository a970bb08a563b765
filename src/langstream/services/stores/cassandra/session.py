"""The bridge between the driver and the event loop.

The driver has threads of its own: requests are handed to it without waiting, and their answers come back to the loop.
Only what the driver does blocking (connecting, preparing a statement for the first time) runs in a thread. Statements
are sent to the replica that has the row; connections are pooled, and those that break are replaced by the driver.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from langstream.errors import ServiceError
from langstream.services.stores.cassandra.failures import failure, failures

CONNECT_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 30.0
PAGE_ROWS: Final = 1000
MOST_STATEMENTS: Final = 500
"""Prepared statements that are kept; the least used are forgotten."""


@dataclass(frozen=True, slots=True)
class Access:
    """What to connect to, and as whom: keyword arguments of the driver's `Cluster`."""

    where: str
    arguments: Mapping[str, Any] = field(repr=False)
    local_dc: str | None
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    consistency: str = "LOCAL_ONE"


class CqlSession:
    """Prepared statements run on a cluster. Give it to `start` and `close`."""

    def __init__(self, access: Access) -> None:
        self.where = access.where
        self._access = access
        self._cluster: Any = None
        self._session: Any = None
        self._prepared: OrderedDict[str, Any] = OrderedDict()
        self._preparing: dict[str, asyncio.Future[Any]] = {}

    async def start(self) -> None:
        """Connect to the cluster and learn its schema."""
        with failures(self.where):
            self._cluster, self._session = await asyncio.to_thread(self._connect)

    async def close(self) -> None:
        """Close every connection."""
        cluster, self._cluster, self._session = self._cluster, None, None
        self._prepared.clear()
        if cluster is not None:
            await asyncio.to_thread(cluster.shutdown)

    def _connect(self) -> tuple[Any, Any]:
        try:
            from cassandra.auth import PlainTextAuthProvider
            from cassandra.cluster import Cluster
        except ImportError:
            raise ServiceError(
                "the Cassandra driver is not installed: pip install 'langstream[cassandra]'", category="refused"
            ) from None
        logger = logging.getLogger("cassandra")
        if logger.level == logging.NOTSET:  # what fails is told by exceptions; the rest is about the driver itself
            logger.setLevel(logging.CRITICAL)
        access = self._access
        login = PlainTextAuthProvider(access.username, access.password) if access.username else None
        cluster = Cluster(
            auth_provider=login,
            execution_profiles=_profiles(access),
            connect_timeout=CONNECT_SECONDS,
            control_connection_timeout=CONNECT_SECONDS,
            reconnection_policy=_reconnection(),
            idle_heartbeat_interval=15,
            **access.arguments,
        )
        try:
            return cluster, cluster.connect()
        except BaseException:
            cluster.shutdown()
            raise

    @property
    def metadata(self) -> Any:
        """The schema, as the driver knows it."""
        return self._started()[0].metadata

    def _started(self) -> tuple[Any, Any]:
        if self._session is None:
            raise ServiceError(f"{self.where} is not connected: start() comes first", category="refused")
        return self._cluster, self._session

    async def prepared(self, statement: str) -> Any:
        """The prepared statement of a text; prepared once."""
        found = self._prepared.get(statement)
        if found is not None:
            self._prepared.move_to_end(statement)
            return found
        _, session = self._started()
        waiting = self._preparing.get(statement)
        if waiting is None:
            waiting = asyncio.ensure_future(asyncio.to_thread(session.prepare, statement))
            self._preparing[statement] = waiting
            waiting.add_done_callback(lambda _: self._preparing.pop(statement, None))
        with failures(self.where):
            found = await asyncio.shield(waiting)
        self._prepared[statement] = found
        if len(self._prepared) > MOST_STATEMENTS:
            self._prepared.popitem(last=False)
        return found

    async def run(self, statement: Any, seconds: float = REQUEST_SECONDS) -> list[Mapping[str, Any]]:
        """Every row that a bound statement (or plain text) gives, all pages of them."""
        _, session = self._started()
        loop = asyncio.get_running_loop()
        answers: asyncio.Queue[Any] = asyncio.Queue()

        def tell(answer: Any) -> None:
            with suppress(RuntimeError):  # the loop has ended, and nobody waits any more
                loop.call_soon_threadsafe(answers.put_nowait, answer)

        with failures(self.where):
            request = session.execute_async(statement, timeout=seconds)
            request.add_callbacks(callback=tell, errback=tell)
            rows: list[Mapping[str, Any]] = []
            while True:
                page = await answers.get()
                if isinstance(page, BaseException):
                    raise failure(self.where, page)
                rows.extend(page or ())
                if not request.has_more_pages:
                    return rows
                request.start_fetching_next_page()

    async def blocking(self, work: Callable[[Any], Any]) -> Any:
        """The result of something that the driver does blocking with its session."""
        _, session = self._started()
        with failures(self.where):
            return await asyncio.to_thread(work, session)


def _profiles(access: Access) -> dict[Any, Any]:
    from cassandra import ConsistencyLevel
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, ExecutionProfile
    from cassandra.policies import DCAwareRoundRobinPolicy, DefaultLoadBalancingPolicy, TokenAwarePolicy
    from cassandra.query import dict_factory

    balancing = DefaultLoadBalancingPolicy(TokenAwarePolicy(DCAwareRoundRobinPolicy(local_dc=access.local_dc or "")))
    profile = ExecutionProfile(
        load_balancing_policy=balancing,
        consistency_level=ConsistencyLevel.name_to_value[access.consistency],
        request_timeout=REQUEST_SECONDS,
        row_factory=dict_factory,
    )
    return {EXEC_PROFILE_DEFAULT: profile}


def _reconnection() -> Any:
    from cassandra.policies import ExponentialReconnectionPolicy

    return ExponentialReconnectionPolicy(base_delay=0.5, max_delay=15.0)


def parameters_of(prepared: Any) -> Sequence[Any]:
    """Name and type of each `?`."""
    return prepared.column_metadata or ()
