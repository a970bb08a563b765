"""What the contract suite asks of consumers holds for members that share partitions, as far as it is not owning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from langstream.topics.contract import RevokedCallback, TopicCluster, TopicConsumer
from tests.brokers.conftest import Bench, Broker, on_pulsar
from tests.brokers.test_consuming import (  # noqa: F401 - tests to be repeated here
    test_a_cancelled_poll_loses_nothing,
    test_a_closed_consumer_may_be_closed_again,
    test_a_consumer_that_was_never_started_may_be_closed,
    test_a_group_goes_on_after_what_it_committed,
    test_a_new_group_starts_at_the_earliest_record,
    test_a_partition_of_another_topic_is_refused,
    test_a_single_member_owns_every_partition_once_started,
    test_an_offset_outside_of_the_partition_is_refused,
    test_committing_again_is_allowed,
    test_groups_do_not_disturb_each_other,
    test_lag_counts_what_is_not_committed,
    test_no_partition_starves,
    test_poll_never_gives_more_than_asked,
    test_poll_returns_empty_after_its_timeout,
    test_poll_wakes_up_for_a_record,
    test_what_was_not_committed_comes_again,
)
from tests.brokers.test_sharing import (  # noqa: F401
    test_a_waiting_consumer_notices_another_process,
    test_everything_is_there_after_a_restart,
)
from tests.servers.pulsar import Pulsar


class SharedBench(Bench):
    """Its members share partitions."""

    async def consumer(
        self,
        topic: str,
        group: str = "group",
        *,
        on_revoked: RevokedCallback | None = None,
        cluster: TopicCluster | None = None,
    ) -> TopicConsumer:
        options = {"consumer.subscriptionType": "Key_Shared"}
        consumer = (cluster or self.cluster).consumer(
            topic, f"{group}-{self.mark}", options=options, on_revoked=on_revoked
        )
        await consumer.start()
        return consumer


@pytest.fixture
async def bench(pulsar_server: Pulsar, tmp_path: Path) -> AsyncIterator[Bench]:
    """In place of the one whose members own partitions."""
    made = SharedBench(Broker("pulsar", on_pulsar(pulsar_server), lasting=True), tmp_path)
    made.cluster = await made.open()
    yield made
    await made.close()


@pytest.fixture
async def other(bench: Bench) -> TopicCluster:
    """A second cluster."""
    return await bench.open()
