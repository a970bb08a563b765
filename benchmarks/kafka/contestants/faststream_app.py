"""FastStream on confluent-kafka, batches in and batches out, acknowledged after the results are written.

Without `apply_types`, and with a decoder that hands on the client's own messages: by default every value is parsed as
JSON and checked, which would be another work than that of the others.
"""

from __future__ import annotations

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker, KafkaMessage
from faststream.confluent.response import KafkaPublishMessage
from work import Task, task, transform


def build(job: Task) -> FastStream:
    """The application."""
    broker = KafkaBroker(
        job.bootstrap, logger=None, apply_types=False, allow_auto_create_topics=False,
        config={"compression.type": "lz4", "linger.ms": 2, "acks": "all"},
    )  # fmt: skip
    publisher = broker.publisher(job.target, batch=True)

    @broker.subscriber(
        job.source, group_id=job.group, auto_offset_reset="earliest", batch=True, max_records=1000,
        ack_policy=AckPolicy.NACK_ON_ERROR, decoder=as_read,
    )  # fmt: skip
    async def onward(messages: Any) -> None:
        change = transform if job.work == "transform" else unchanged
        await publisher.publish(
            *[KafkaPublishMessage(change(message.value()), key=message.key()) for message in messages]
        )

    return FastStream(broker, logger=None)


async def as_read(message: KafkaMessage) -> Any:
    """The messages of the batch."""
    return message.raw_message


def unchanged(value: bytes) -> bytes:
    """For `pass`."""
    return value


if __name__ == "__main__":
    asyncio.run(build(task()).run())
