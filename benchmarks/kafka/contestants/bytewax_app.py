"""Bytewax: without a recovery store it repeats everything after a crash; with one (guarantee `kept`), what came since
the last epoch. Its sink waits for every batch, and does not look at what became of each record."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import run_main
from work import Task, task, transform


def main(job: Task) -> None:
    """Until killed."""
    flow = Dataflow("benchmark")
    source = KafkaSource([job.bootstrap], [job.source], batch_size=1000)
    records = op.input("in", flow, source)

    def onward(message: KafkaSourceMessage[bytes, bytes]) -> KafkaSinkMessage[bytes, bytes]:
        value = transform(message.value) if job.work == "transform" else message.value
        return KafkaSinkMessage(message.key, value)

    results = op.map("onward", records, onward)
    op.output("out", results, KafkaSink([job.bootstrap], job.target, {"compression.type": "lz4", "linger.ms": "2"}))
    if job.guarantee == "none":
        run_main(flow)
        return
    with tempfile.TemporaryDirectory() as directory:
        init_db_dir(Path(directory), 1)
        run_main(flow, recovery_config=RecoveryConfig(directory))


if __name__ == "__main__":
    main(task())
