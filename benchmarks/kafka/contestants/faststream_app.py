"""FastStream on confluent-kafka, batches in and batches out, acknowledged after the results are written."""

from __future__ import annotations

import asyncio

from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker
from work import Task, task, transform


def build(job: Task) -> FastStream:
    """The application."""
    broker = KafkaBroker(job.bootstrap, logger=None, compression_type="lz4", linger_ms=2)
    publisher = broker.publisher(job.target, batch=True)

    @broker.subscriber(
        job.source, group_id=job.group, auto_offset_reset="earliest", batch=True, max_records=1000,
        ack_policy=AckPolicy.NACK_ON_ERROR, decoder=None,
    )  # fmt: skip
    async def onward(values: list[bytes]) -> None:
        await publisher.publish(*(map(transform, values) if job.work == "transform" else values))

    return FastStream(broker, logger=None)


if __name__ == "__main__":
    asyncio.run(build(task()).run())
