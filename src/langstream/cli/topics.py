"""`langstream topics`: look into the topics of an application's cluster, or of a data directory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
import orjson

from langstream.cli.options import pairs
from langstream.records import SimpleRecord, header_text
from langstream.topics.contract import TopicCluster, encode_position, position_from_text

_INSTANCE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
@click.option("-i", "--instance", type=_INSTANCE, help="Instance file naming the cluster.")
@click.option("-s", "--secrets", type=_INSTANCE, help="Secrets file.")
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), default=Path(".langstream"), show_default=True,
    help="Data directory of the embedded broker.",
)  # fmt: skip
@click.pass_context
def topics(ctx: click.Context, instance: Path | None, secrets: Path | None, data_dir: Path) -> None:
    """List, write and read topics, also while an application is running on them."""
    ctx.obj = (instance, secrets, data_dir)


@topics.command("list")
@click.option("-o", "--output", type=click.Choice(["raw", "json"]), default="raw", show_default=True)
@click.pass_obj
def list_topics(where: Any, output: str) -> None:
    """Every topic with its partitions, records and size."""

    async def work(cluster: TopicCluster) -> None:
        found = await cluster.admin.list()
        if output == "json":
            rows = [
                {"name": t.name, "partitions": t.partitions, "records": t.records, "bytes": t.bytes, "config": dict(t.config)}
                for t in found
            ]
            click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
            return
        width = max([len(t.name) for t in found] + [5])
        click.echo(f"{'TOPIC':<{width}}  {'PARTITIONS':>10}  {'RECORDS':>10}  {'BYTES':>12}")
        for topic in found:
            records = "–" if topic.records is None else f"{topic.records:,}"
            size = "–" if topic.bytes is None else f"{topic.bytes:,}"
            click.echo(f"{topic.name:<{width}}  {topic.partitions:>10}  {records:>10}  {size:>12}")

    _with_cluster(where, work)


@topics.command()
@click.argument("topic")
@click.option("-v", "--value", help="Value; `-` reads standard input, one record per line.", required=True)
@click.option("-k", "--key", help="Key.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="Header; may be repeated.")
@click.pass_obj
def produce(where: Any, topic: str, value: str, key: str | None, headers: tuple[str, ...]) -> None:
    """Write a record (or, with `-v -`, a record per line of standard input) to a topic."""
    items = tuple(pairs(headers, "--header").items())
    values = [line.rstrip("\n") for line in click.get_text_stream("stdin")] if value == "-" else [value]

    async def work(cluster: TopicCluster) -> None:
        producer = cluster.producer()
        await producer.start()
        try:
            await producer.send(topic, [SimpleRecord(text, key, items) for text in values])
        finally:
            await producer.close()
        click.echo(f"{len(values)} record{'' if len(values) == 1 else 's'} written to {topic}")

    _with_cluster(where, work)


@topics.command()
@click.argument("topic")
@click.option("--position", default="earliest", show_default=True, help="`earliest`, `latest`, or an offset printed before.")
@click.option("-n", "--count", default=0, help="Stop after that many records; 0 goes on until Ctrl-C.")
@click.option("--follow/--no-follow", default=False, help="Wait for more records at the end.")
@click.pass_obj
def consume(where: Any, topic: str, position: str, count: int, follow: bool) -> None:
    """Print the records of a topic as JSON lines, without taking them from anybody."""

    async def work(cluster: TopicCluster) -> None:
        reader = cluster.reader(topic, position_from_text(position))
        await reader.start()
        left = count or -1
        offsets = dict(reader.next_offsets())
        try:
            while left and (fetched := await reader.read(100, 30.0 if follow else 0.3)) or (follow and left):
                for run in fetched:
                    for offset, record in zip(run.offsets, run.records, strict=True):
                        offsets[run.partition] = offset + 1
                        click.echo(_line(run.partition, offset, record, offsets))
                        left -= 1
                        if not left:
                            return
        finally:
            await reader.close()

    _with_cluster(where, work)


def _line(partition: int, offset: int, record: SimpleRecord, offsets: dict[int, int]) -> bytes:
    value, key = record.value(), record.key()
    return orjson.dumps(
        {
            "partition": partition,
            "offset": offset,
            "timestamp": record.timestamp(),
            "key": header_text(key),
            "value": header_text(value),
            "headers": {name: header_text(item) for name, item in record.header_items()},
            "position": encode_position(offsets).decode(),
        }
    )


def _with_cluster(where: Any, work: Callable[[TopicCluster], Awaitable[None]]) -> None:
    from langstream.application.instance import load_instance
    from langstream.control.running import open_cluster

    instance, secrets, data_directory = where
    streaming = load_instance(instance, secrets).streaming if instance else None

    async def main() -> None:
        cluster = open_cluster(streaming, data_directory)
        await cluster.start()
        try:
            await work(cluster)
        finally:
            await cluster.close()

    asyncio.run(main())
