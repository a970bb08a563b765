"""What nodes promise holds on every broker: tests of the other files, repeated on the embedded broker and on Kafka."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from langstream.planner.plan import Node
from langstream.records import SimpleRecord
from langstream.registry import TOPICS, Registry
from langstream.runtime.directories import StateDirectories
from langstream.runtime.members import Surroundings
from langstream.runtime.metrics import Meters
from tests.runtime.conftest import Kit, node
from tests.runtime.test_asynchronous import (  # noqa: F401 - tests to be repeated here
    test_a_clean_stop_finishes_what_is_in_flight,
    test_a_slow_record_is_not_overtaken_by_its_key,
    test_fail_commits_the_finished_prefix,
    test_records_not_attempted_come_again_in_order,
    test_retries_count_attempts,
    test_what_misses_the_deadline_is_read_again,
)
from tests.runtime.test_chains import (  # noqa: F401
    test_a_key_passes_the_whole_node_before_its_next_record_enters,
    test_parts_that_went_well_are_not_published_twice,
)
from tests.runtime.test_groups import (  # noqa: F401
    test_replicas_share_the_partitions,
    test_work_in_flight_is_committed_before_a_partition_moves,
)
from tests.runtime.test_sources_and_sinks import (  # noqa: F401
    test_a_failing_write_is_retried_then_dead_lettered,
    test_a_sink_is_written_before_the_commit,
    test_a_source_learns_of_every_commit_in_order,
)


class KitApart(Kit):
    """A kit whose topics and groups have names of their own, for a broker that others use too."""

    def _name(self, name: str) -> str:
        return f"{name}-{self.surroundings.application_id}"

    def node(self, *agents: Any, **options: Any) -> Node:
        made = node(*agents, **options)
        return replace(
            made,
            input=made.input and self._name(made.input),
            output=made.output and self._name(made.output),
            dead_letter=made.dead_letter and self._name(made.dead_letter),
            group=made.group and self._name(made.group),
        )

    async def topics(self, *names: str, partitions: int = 1) -> None:
        await super().topics(*map(self._name, names), partitions=partitions)

    async def send(self, topic: str, *records: Any) -> None:
        await super().send(self._name(topic), *records)

    async def records(self, topic: str, count: int, seconds: float = 60.0) -> list[SimpleRecord]:
        return await super().records(self._name(topic), count, seconds)

    async def everything(self, topic: str) -> list[SimpleRecord]:
        reader = self.cluster.reader(self._name(topic), "earliest")
        await reader.start()
        found: list[SimpleRecord] = []
        while runs := await reader.read(10_000, 0.05):
            found += [record for run in runs for record in run.records]
        await reader.close()
        return found

    async def committed(self, topic: str = "in", group: str = "group-node") -> int:
        return await super().committed(self._name(topic), self._name(group))


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.xdist_group("kafka"))])
async def kit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kit]:
    """In place of the kit in memory."""
    configuration: dict[str, Any] = {}
    if request.param == "kafka":
        servers = request.getfixturevalue("kafka_server").bootstrap
        admin = {"bootstrap.servers": servers, "heartbeat.interval.ms": 200, "session.timeout.ms": 6000}
        configuration = {"admin": admin}
    cluster: Any = Registry(TOPICS).load(request.param)(configuration, tmp_path)
    await cluster.start()
    mark = uuid.uuid4().hex[:8]
    surroundings = Surroundings(
        application_id=mark, cluster=cluster, meters=Meters(), directories=StateDirectories(tmp_path, "app")
    )
    made = KitApart(cluster, surroundings)
    yield made
    await made.close()
