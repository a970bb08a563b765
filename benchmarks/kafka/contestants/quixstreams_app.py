"""Quix Streams, with bytes as they are; it commits by time, and writes in transactions for `exact`: every 0.1 s, since
with the usual 5 s nobody would see anything for so long."""

from __future__ import annotations

import tempfile

from quixstreams import Application
from work import Task, task, transform


def main(job: Task) -> None:
    """Until killed."""
    app = Application(
        broker_address=job.bootstrap,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once" if job.guarantee == "exact" else "at-least-once",
        consumer_extra_config={"isolation.level": "read_committed"},
        producer_extra_config={"compression.type": "lz4"},
        auto_create_topics=False,
        commit_interval=0.1 if job.guarantee == "exact" else 5.0,
        state_dir=tempfile.mkdtemp(),
        loglevel="WARNING",
    )
    stream = app.dataframe(app.topic(job.source, value_deserializer="bytes", key_deserializer="bytes"))
    if job.work == "transform":
        stream = stream.apply(transform)
    stream.to_topic(app.topic(job.target, value_serializer="bytes", key_serializer="bytes"))
    app.run()


if __name__ == "__main__":
    main(task())
