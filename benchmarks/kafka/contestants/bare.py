"""The bound: a loop around librdkafka, with nothing of a product in it."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from work import Task, task, transform

BATCH = 1_000


def main(job: Task) -> None:
    """Until killed."""
    consumer = Consumer({
        "bootstrap.servers": job.bootstrap, "group.id": job.group, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "isolation.level": "read_committed",
    })  # fmt: skip
    exact = job.guarantee == "exact"
    options = {"transactional.id": job.group} if exact else {}
    producer = Producer({
        "bootstrap.servers": job.bootstrap, "enable.idempotence": True, "compression.type": "lz4", "linger.ms": 2,
        "queue.buffering.max.messages": 0, **options,
    })  # fmt: skip
    consumer.subscribe([job.source])
    if exact:
        producer.init_transactions(30)
    changing = job.work == "transform"
    while True:
        messages = consumer.consume(BATCH, 0.1)
        ends: dict[int, int] = {}
        if exact and messages:
            producer.begin_transaction()
        for message in messages:
            if message.error():
                raise SystemExit(str(message.error()))
            value = message.value()
            if changing:
                value = transform(value)
            if exact:
                producer.produce(job.target, value, message.key(), timestamp=message.timestamp()[1])
            else:
                producer.produce(
                    job.target, value, message.key(), timestamp=message.timestamp()[1], on_delivery=delivered
                )
            ends[message.partition()] = message.offset() + 1
        positions = [TopicPartition(job.source, partition, end) for partition, end in ends.items()]
        if positions and exact:
            producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), 30)
            producer.commit_transaction(30)
        elif positions:
            producer.flush()
            consumer.commit(offsets=positions, asynchronous=False)


def delivered(error: KafkaError | None, _: Message) -> None:
    """Without this, a record that was not written would be lost without a word."""
    if error:
        raise SystemExit(str(error))


if __name__ == "__main__":
    main(task())
