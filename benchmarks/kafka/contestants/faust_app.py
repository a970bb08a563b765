"""Faust, the maintained fork: one event after the other, as its agents are written; it commits by time."""

from __future__ import annotations

import sys
import tempfile
from typing import Any

import faust
from work import Task, task, transform


def build(job: Task) -> faust.App:
    """The application. With the usual batch size of 16 KB it would wait for the broker every 75 records."""
    app = faust.App(
        job.group, broker=f"kafka://{job.bootstrap}", store="memory://", topic_disable_leader=True,
        datadir=tempfile.mkdtemp(), value_serializer="raw", key_serializer="raw", web_enabled=False,
        producer_compression_type="lz4", producer_linger_ms=2, producer_max_batch_size=1 << 20,
        consumer_auto_offset_reset="earliest", stream_buffer_maxsize=4096, broker_max_poll_records=1000,
    )  # fmt: skip
    source = app.topic(job.source, key_serializer="raw", value_serializer="raw", internal=False)
    target = app.topic(job.target, key_serializer="raw", value_serializer="raw", internal=False)

    @app.agent(source)
    async def onward(stream: Any) -> None:
        async for event in stream.events():
            value = transform(event.value) if job.work == "transform" else event.value
            await target.send(key=event.key, value=value)

    return app


if __name__ == "__main__":
    job = task()
    sys.argv[1:] = ["worker", "-l", "error", "--without-web"]
    build(job).main()
