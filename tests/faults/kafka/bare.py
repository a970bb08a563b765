"""What the brokers do by themselves: bare clients, nothing of LangStream, and the groups' coordinator moves to and fro.

    python -m tests.faults.kafka.bare --kafka 4.1.1 --rounds 25 --seed 12

One of three brokers is killed; the one that keeps the groups then is paused again and again, so that another takes
over. Told is how long it takes, once all that is over, until every group commits again, and how the groups stand if one
does not for 100 s, though two of three brokers are well.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.servers.kafka import VERSION, Kafka, kafka

TOPIC: Final = "numbers"
PARTITIONS: Final = 4
GROUPS: Final = ("g0", "g1", "g2", "g3")
MEMBERS: Final = 2
ENOUGH_SECONDS: Final = 100.0
PATIENCE_SECONDS: Final = 600.0


class Clients:
    """A producer and the members of the groups, each in a thread; and an onlooker for each group."""

    def __init__(self, bootstrap: str, rebalance_seconds: float) -> None:
        self._common = {"bootstrap.servers": bootstrap, "socket.timeout.ms": 10_000, "log_level": 0}
        self._rebalance_ms = int(1000 * rebalance_seconds)
        self._stopping = threading.Event()
        self._standing: dict[str, tuple[str, float]] = {}
        """What each member is at with its group, and since when."""
        self._threads = [threading.Thread(target=self._produce, daemon=True)]
        for group in GROUPS:
            for number in range(MEMBERS):
                self._threads.append(threading.Thread(target=self._consume, args=(group, number), daemon=True))
        self._onlookers = {
            group: Consumer({**self._common, "group.id": group, "enable.auto.commit": False}) for group in GROUPS
        }

    def start(self) -> None:
        """All of them."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """All of them."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)

    def progress(self, seconds: float) -> float | None:
        """How long until every group has committed something more; None if it takes longer than that."""
        began = time.monotonic()
        before: dict[str, int] = {}
        missing = set(GROUPS)
        while missing and time.monotonic() - began < seconds:
            for group in sorted(missing):
                with suppress(KafkaException):
                    places = [TopicPartition(TOPIC, number) for number in range(PARTITIONS)]
                    offsets = [place.offset for place in self._onlookers[group].committed(places, 3.0)]
                    done = sum(offset for offset in offsets if offset > 0)
                    if done > before.setdefault(group, done):
                        missing.discard(group)
            time.sleep(0.2)
        return None if missing else time.monotonic() - began

    def _produce(self) -> None:
        producer = Producer({**self._common, "enable.idempotence": True})
        number = 0
        while not self._stopping.wait(0.005):
            with suppress(BufferError):
                producer.produce(TOPIC, str(number), partition=number % PARTITIONS)
            producer.poll(0)
            number += 1

    def tell(self) -> None:
        """What the members are at."""
        now = time.monotonic()
        for member, (state, since) in sorted(self._standing.items()):
            print(f"  {member}: {state} for {now - since:.0f} s", flush=True)

    def _consume(self, group: str, number: int) -> None:
        def heard(text: str) -> None:
            state = json.loads(text)["cgrp"]["join_state"]
            if self._standing.get(f"{group} member {number}", ("",))[0] != state:
                self._standing[f"{group} member {number}"] = state, time.monotonic()

        consumer = Consumer({
            **self._common, "group.id": group, "session.timeout.ms": 6000, "heartbeat.interval.ms": 1000,
            "max.poll.interval.ms": self._rebalance_ms, "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            "statistics.interval.ms": 1000, "stats_cb": heard,
        })  # fmt: skip
        consumer.subscribe([TOPIC])
        while not self._stopping.is_set():
            consumer.consume(50, 0.05)
            with suppress(KafkaException):
                places = [place for place in consumer.position(consumer.assignment()) if place.offset >= 0]
                if places:
                    consumer.commit(offsets=places, asynchronous=True)
        consumer.close()


class Coordinator:
    """Which broker keeps the groups."""

    def __init__(self, bootstrap: str) -> None:
        self.admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def among(self, alive: list[int], chance: random.Random) -> int:
        """The broker, if one of these; any of them if that is not known within 20 s."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with suppress(KafkaException, KeyError):
                topics = self.admin.list_topics("__consumer_offsets", timeout=2).topics
                number = topics["__consumer_offsets"].partitions[0].leader - 1
                if number in alive:
                    return int(number)
            time.sleep(0.2)
        return chance.choice(alive)

    def tell(self) -> None:
        """How the groups stand."""
        for group, answer in self.admin.describe_consumer_groups(list(GROUPS), request_timeout=10).items():
            try:
                found = answer.result(15)
            except KafkaException as error:
                print(f"  {group}: {error}", flush=True)
                continue
            shares = [len(member.assignment.topic_partitions) for member in found.members if member.assignment]
            print(f"  {group}: {found.state.name} at broker {found.coordinator.id}, partitions {shares}", flush=True)


def one_round(server: Kafka, clients: Clients, coordinator: Coordinator, chance: random.Random) -> float | None:
    """The seconds until every group commits again, None if they are too many to wait."""
    dead = chance.choice(server.brokers)
    server.kill(dead)
    time.sleep(chance.uniform(0.2, 6))
    alive = [number for number in server.brokers if number != dead]
    for _ in range(chance.randint(5, 9)):
        number = coordinator.among(alive, chance)
        server.pause(number)
        time.sleep(chance.uniform(4, 7))
        server.resume(number)
        time.sleep(chance.uniform(0, 0.6))
    took = clients.progress(ENOUGH_SECONDS)
    if took is None:
        coordinator.tell()
        clients.tell()
        for number in alive:
            server.tell_where(number)
        more = clients.progress(PATIENCE_SECONDS)
        took = None if more is None else ENOUGH_SECONDS + more
    server.start_broker(dead)
    return took


def main() -> int:
    """1 if a group stood still."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kafka", default=VERSION, metavar="VERSION", help=f"of the brokers ({VERSION})")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rebalance-seconds", type=float, default=300, help="max.poll.interval of the members (300)")
    parser.add_argument("--keep", type=Path, help="a new folder where logs are kept")
    options = parser.parse_args()
    chance, still = random.Random(options.seed), 0
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        kafka(options.keep or Path(folder), 3, version=options.kafka) as server,
    ):
        coordinator = Coordinator(server.bootstrap)
        coordinator.admin.create_topics([NewTopic(TOPIC, PARTITIONS, 3)])[TOPIC].result(60)
        clients = Clients(server.bootstrap, options.rebalance_seconds)
        clients.start()
        print(f"Kafka {options.kafka}, seed {options.seed}: all groups commit after {clients.progress(120)} s")
        for number in range(options.rounds):
            took = one_round(server, clients, coordinator, chance)
            still += took is None or took > ENOUGH_SECONDS
            told = f"every group commits after {took:.1f} s" if took is not None else "a GROUP STANDS STILL"
            print(f"round {number}: {told}", flush=True)
            clients.progress(ENOUGH_SECONDS)  # the killed one is back
        clients.stop()
    return int(bool(still))


if __name__ == "__main__":
    sys.exit(main())
