"""Numbered records with keys, sent to Kafka at a steady rate by a bare client, independent of the product."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Final

from confluent_kafka import KafkaError, Producer

from tests.faults.kafka.pipelines import INPUT

KEYS: Final = 24
TICK_SECONDS: Final = 0.02


class Load:
    """Record `n` has the key `n % KEYS`. Whatever happens to the brokers, the client sends each exactly once."""

    def __init__(self, bootstrap: str, rate: int) -> None:
        self.sent = 0
        self.acknowledged = 0
        self.failures: list[str] = []
        self.places: dict[int, tuple[int, int]] = {}
        """Partition and offset of every record, as the broker acknowledged it; -1 if it only said "that I have"."""
        self._newest = [-1] * KEYS
        self._rate = rate
        self._stop = threading.Event()
        self._producer = Producer({
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "message.timeout.ms": 0,
            "request.timeout.ms": 3000,  # a broker that hangs shall not be what recovery waits for here
            "socket.timeout.ms": 3000,
            "log_level": 0,
        })  # fmt: skip
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and wait until everything is acknowledged."""
        self._stop.set()
        self._thread.join()

    def flushed(self, seconds: float) -> bool:
        """Whether everything is acknowledged, in time. After `stop`."""
        return not self._producer.flush(seconds)

    def _run(self) -> None:
        began = time.monotonic()
        while not self._stop.wait(TICK_SECONDS):
            due = min(int((time.monotonic() - began) * self._rate), self.sent + 10 * self._rate)
            while self.sent < due:
                n = self.sent
                try:
                    self._producer.produce(
                        INPUT, json.dumps({"n": n, "noise": "x" * 50}), str(n % KEYS), on_delivery=self._delivered
                    )
                except BufferError:
                    self._producer.poll(0.1)
                    continue
                self.sent = n + 1
            self._producer.poll(0)

    def beyond(self, n: int) -> bool:
        """Whether of every key a record was acknowledged that was sent after this one: the brokers are well."""
        return min(self._newest) >= n

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        if error is None:
            self.acknowledged += 1
            n = json.loads(message.value())["n"]
            offset = message.offset()
            self.places[n] = message.partition(), -1 if offset is None else offset
            self._newest[n % KEYS] = max(self._newest[n % KEYS], n)
        else:
            self.failures.append(error.str())
