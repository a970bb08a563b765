"""What the groups of the pipelines have committed, and since when at least, as the brokers tell it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TypeAlias

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.faults.kafka.pipelines import INPUT, PARTITIONS

EVERY_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 3.0
KEPT: Final = 240

Offsets: TypeAlias = Mapping[str, Mapping[int, int]]
"""Name of a pipeline → partition → the offset after the last committed record."""


class Commits:
    """Asks again and again, in a thread. Brokers that do not answer are asked later."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._seen: deque[tuple[float, Offsets]] = deque(maxlen=KEPT)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, groups: Mapping[str, str]) -> None:
        """Begin. `groups` by name of their pipeline."""
        self._thread = threading.Thread(target=self._run, args=(groups,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def before(self, moment: float) -> Offsets:
        """What was committed at that time, as far as it was seen."""
        found: Offsets = {}
        for seen, offsets in list(self._seen):
            if seen <= moment:
                found = offsets
        return found

    def _run(self, groups: Mapping[str, str]) -> None:
        known: dict[str, dict[int, int]] = {name: {} for name in groups}
        # Clients that never join. (The client for administrators, asked for this, ended the process with a fault of its
        # own when brokers were killed.)
        common = {"bootstrap.servers": self._bootstrap, "enable.auto.commit": False, "log_level": 0}
        clients = {name: Consumer({**common, "group.id": group}) for name, group in groups.items()}
        while not self._stopping.wait(EVERY_SECONDS):
            for name, client in clients.items():
                with suppress(KafkaException):
                    known[name] = {**known[name], **_committed(client)}
            self._seen.append((time.monotonic(), {name: dict(offsets) for name, offsets in known.items()}))

        for client in clients.values():
            client.close()


def _committed(client: Consumer) -> dict[int, int]:
    places = client.committed([TopicPartition(INPUT, number) for number in range(PARTITIONS)], ANSWER_SECONDS)
    return {place.partition: place.offset for place in places if place.error is None and place.offset >= 0}
