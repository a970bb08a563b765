"""What a commit says, as JSON: for states in a bucket, and for a batch that is about to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from langstream.agents.web.crawler.ledger import Delivered, Entry, Kind, Settled, State


@dataclass(frozen=True, slots=True)
class Commit:
    """Pages and what became of them. With the name of a batch, it holds if that batch was written."""

    settled: Sequence[Settled]
    batch: str | None = None


def write_commit(commit: Commit) -> bytes:
    """As JSON."""
    pages = [_row(entry, state, page) for entry, state, page in commit.settled]
    return orjson.dumps({"batch": commit.batch, "pages": pages})


def parse_commit(data: bytes) -> Commit:
    """What `write_commit` wrote, or its predecessor, which knew of no batches."""
    found = orjson.loads(data)
    rows, batch = (found["pages"], found["batch"]) if isinstance(found, dict) else (found, None)
    return Commit([_settled(*row) for row in rows], batch)


def _row(entry: Entry, state: State, page: Delivered | None) -> list[Any]:
    content = None if page is None else [page.digest.hex(), page.etag, page.modified, page.links]
    return [entry.url, int(entry.kind), entry.depth, int(state), content]


def _settled(url: str, kind: int, depth: int, state: int, page: list[Any] | None) -> Settled:
    content = None if page is None else Delivered(bytes.fromhex(page[0]), page[1], page[2], tuple(page[3]))
    return Entry(0, url, Kind(kind), depth, 0, False), State(state), content
