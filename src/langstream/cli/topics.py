"""`langstream topics`: look into the topics of an application's cluster, or of a data directory.

The embedded broker is shared by the processes of one machine, so this works whether an application runs or not.
Nothing is created: a data directory or a topic that does not exist is an error.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson

from langstream.cli.failure import Refusal
from langstream.cli.groups import Group
from langstream.cli.options import pairs
from langstream.configuration.validation import did_you_mean
from langstream.errors import TopicNotFound
from langstream.records import SimpleRecord
from langstream.topics.contract import Fetched, TopicCluster, TopicDescription, TopicReader, position_from_text

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(exists=True, file_okay=False, path_type=Path)
_END_SECONDS = 0.3
"""A topic that yields nothing for so long is read to its end."""


@dataclass(frozen=True, slots=True)
class Where:
    """What the options say about the cluster."""

    application: Path | None = None
    instance: Path | None = None
    secrets: Path | None = None
    data_directory: Path = Path(".langstream")


def _cluster_options(command: Command) -> Command:
    """Accepted before and after the sub-command; the latter goes first."""
    for option in (
        click.option(
            "--data-dir",
            type=click.Path(file_okay=False, path_type=Path),
            help="Data directory of the embedded broker, as given to `langstream run` (default: .langstream).",
        ),
        click.option("-s", "--secrets", type=_FILE, help="Secrets file the instance file refers to."),
        click.option("-i", "--instance", type=_FILE, help="Instance file that names the streaming cluster."),
        click.option(
            "-app", "--application", type=_DIRECTORY, help="Directory of the application, for its default globals."
        ),
    ):
        command = option(command)
    return command


def _where(
    outer: Where, application: Path | None, instance: Path | None, secrets: Path | None, data_dir: Path | None
) -> Where:
    return Where(
        application or outer.application,
        instance or outer.instance,
        secrets or outer.secrets,
        data_dir or outer.data_directory,
    )


_EXAMPLES = """\b
Examples:
  langstream topics list
  langstream topics consume answers --follow
  langstream topics produce questions -v "What is a topic?" --header langstream-client-session-id=s1
  cat questions.txt | langstream topics produce questions -v -
"""


@click.group(cls=Group, epilog=_EXAMPLES)
@_cluster_options
@click.pass_context
def topics(
    ctx: click.Context, /, application: Path | None, instance: Path | None, secrets: Path | None, data_dir: Path | None
) -> None:
    """List, write and read topics, also while an application is running on them.

    Without an instance file the topics of the embedded broker in --data-dir are meant. An application that runs with
    --ephemeral keeps its topics in its own memory: they can be reached through its gateways only.
    """
    ctx.obj = _where(Where(), application, instance, secrets, data_dir)


@topics.command("list")
@click.option("-o", "--output", type=click.Choice(["raw", "json"]), default="raw", show_default=True, help="Form.")
@_cluster_options
@click.pass_obj
def list_topics(where: Where, /, output: str, **options: Any) -> None:
    """Every topic with its partitions, records and size."""

    async def work(cluster: TopicCluster) -> None:
        found = await cluster.admin.list()
        click.echo(_topics_as_json(found) if output == "json" else _topics_as_table(found))

    _with_cluster(_where(where, **options), work)


def _topics_as_json(found: Sequence[TopicDescription]) -> str:
    rows = [
        {
            "name": topic.name,
            "partitions": topic.partitions,
            "records": topic.records,
            "bytes": topic.bytes,
            "config": dict(topic.config),
        }
        for topic in found
    ]
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()


def _topics_as_table(found: Sequence[TopicDescription]) -> str:
    width = max([len(topic.name) for topic in found] + [5])
    lines = [f"{'TOPIC':<{width}}  {'PARTITIONS':>10}  {'RECORDS':>10}  {'BYTES':>12}"]
    for topic in found:
        records = "–" if topic.records is None else f"{topic.records:,}"
        size = "–" if topic.bytes is None else f"{topic.bytes:,}"
        lines.append(f"{topic.name:<{width}}  {topic.partitions:>10}  {records:>10}  {size:>12}")
    return "\n".join(lines)


@topics.command()
@click.argument("topic")
@click.option("-v", "--value", help="Value; `-` reads standard input, one record per line.", required=True)
@click.option("-k", "--key", help="Key.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="Header; may be repeated.")
@_cluster_options
@click.pass_obj
def produce(where: Where, /, topic: str, value: str, key: str | None, headers: tuple[str, ...], **options: Any) -> None:
    """Write a record (or, with `-v -`, a record per line of standard input) to a topic."""
    items = tuple(pairs(headers, "--header").items())
    values = [line.rstrip("\r\n") for line in sys.stdin] if value == "-" else [value]

    async def work(cluster: TopicCluster) -> None:
        await _require(cluster, topic)
        producer = cluster.producer()
        await producer.start()
        try:
            await producer.send(topic, [SimpleRecord(text, key, headers=items) for text in values])
        finally:
            await producer.close()
        click.echo(f"{len(values)} record{'' if len(values) == 1 else 's'} written to {topic}")

    _with_cluster(_where(where, **options), work)


@topics.command()
@click.argument("topic")
@click.option(
    "--position", default="earliest", show_default=True, help="`earliest`, `latest`, or a position printed before."
)
@click.option("-n", "--count", default=0, help="Stop after that many records; 0: no limit.", show_default=True)
@click.option("--follow", is_flag=True, help="Wait for more records at the end, until Ctrl-C.")
@_cluster_options
@click.pass_obj
def consume(where: Where, /, topic: str, position: str, count: int, follow: bool, **options: Any) -> None:
    """Print the records of a topic as JSON lines, without taking them from anybody.

    No consumer group is involved: the application's agents get every record all the same. Each line has the `position`
    right after its record; `--position` continues there.
    """
    start = position_from_text(position)
    follow = follow or position == "latest"

    async def work(cluster: TopicCluster) -> None:
        await _require(cluster, topic)
        reader = cluster.reader(topic, start)
        await reader.start()
        left = count
        try:
            async for line in _lines(reader, follow=follow):
                click.echo(line)
                left -= 1
                if left == 0:
                    return
        finally:
            await reader.close()

    try:
        _with_cluster(_where(where, **options), work)
    except KeyboardInterrupt:  # the way to end --follow
        click.echo("", err=True)


async def _lines(reader: TopicReader, *, follow: bool) -> AsyncIterator[str]:
    """The records as they come; without `follow`, up to the end of the topic."""
    offsets = dict(reader.next_offsets())
    while True:
        fetched = await reader.read(100, 30.0 if follow else _END_SECONDS)
        if not fetched and not follow:
            return
        for run in fetched:
            for line in _run_lines(run, offsets):
                yield line


def _run_lines(run: Fetched, offsets: dict[int, int]) -> list[str]:
    from langstream.gateway.delivery import Delivery

    lines = []
    for offset, record in zip(run.offsets, run.records, strict=True):
        offsets[run.partition] = offset + 1
        delivery = Delivery(record, offsets)
        place = {"partition": run.partition, "offset": offset, "timestamp": record.timestamp()}
        members = orjson.loads(delivery.frame)
        lines.append(orjson.dumps({**place, **members["record"], "position": members["offset"]}).decode())
    return lines


async def _require(cluster: TopicCluster, topic: str) -> None:
    """Raises TopicNotFound, with a near miss, for a topic that does not exist."""
    if await cluster.admin.describe(topic) is None:
        known = [each.name for each in await cluster.admin.list()]
        hint = did_you_mean(topic, known) or f"Topics: {', '.join(known) or 'none'}."
        raise TopicNotFound(f"there is no topic '{topic}'. {hint}")


def _with_cluster(where: Where, work: Callable[[TopicCluster], Awaitable[None]]) -> None:
    cluster = _cluster(where)

    async def main() -> None:
        await cluster.start()
        try:
            await work(cluster)
        finally:
            await cluster.close()

    asyncio.run(main())


def _cluster(where: Where) -> TopicCluster:
    """The cluster, not yet started. Refused where there is nothing to look at."""
    from langstream.application.loader import load_application
    from langstream.control.cluster import open_cluster

    streaming = None
    if where.instance:
        directories = [where.application] if where.application else []
        streaming = load_application(directories, instance=where.instance, secrets=where.secrets).instance.streaming
    if streaming is not None and streaming.type == "memory":
        raise Refusal("the instance keeps its topics in the memory of the process that runs it; use its gateways")
    if streaming is None or streaming.type == "embedded":
        own = streaming.configuration.get("directory") if streaming else None
        _require_log(Path(str(own)).expanduser() if own else where.data_directory)
    return open_cluster(streaming, where.data_directory)


def _require_log(directory: Path) -> None:
    from langstream.topics.embedded.schema import FILE_NAME

    if (directory / FILE_NAME).is_file():
        return
    what = "holds no topics" if directory.is_dir() else "does not exist"
    raise Refusal(
        f"the data directory {directory} {what}. Name the one that `langstream run --data-dir` uses, or run an "
        "application first (one that runs with --ephemeral has none)"
    )
