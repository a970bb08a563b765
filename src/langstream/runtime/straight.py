"""The straight way: whole runs of records through synchronous stages, and how to find the source of each result.

Per record it costs one look at the type of each result; everything else is per run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from langstream.records import Dispatched, Document, SimpleRecord
from langstream.runtime.unit import Trace, Unit
from langstream.runtime.worker import Answer, Crash


class Sends:
    """Results of a run by topic."""

    __slots__ = ("topics",)

    def __init__(self) -> None:
        self.topics: dict[str, list[SimpleRecord]] = {}

    def add(self, topic: str, record: SimpleRecord) -> None:
        self.topics.setdefault(topic, []).append(record)

    def add_final(self, records: Sequence[SimpleRecord], output: str | None) -> None:
        """Records that passed all stages: to their own destination, or the output."""
        for record in records:
            if record.destination is not None:
                break
        else:
            if output is not None and records:
                self.topics.setdefault(output, []).extend(records)
            return
        for record in records:
            topic = record.destination if record.destination is not None else output
            if topic is not None:
                self.add(topic, record)


def onward(answer: Answer, sends: Sends) -> list[SimpleRecord] | None:
    """What goes on to the next stage, all outcomes in a row; None unless every outcome is a list of records."""
    if isinstance(answer, Crash):
        return None
    try:
        flat = list(chain.from_iterable(answer))
    except TypeError:  # an exception among them
        return None
    for record in flat:
        if type(record) is not SimpleRecord:
            break
    else:
        return flat
    if not all(isinstance(record, SimpleRecord) for record in flat):
        return None
    passed: list[SimpleRecord] = []
    for record in flat:
        if isinstance(record, Dispatched):
            sends.add(str(record.destination), record)
        else:
            passed.append(record)
    return passed


def owners_of(trace: Trace, units: Sequence[Unit]) -> list[Unit]:
    """The unit of every record that came out of the traced stages."""
    owners = list(units)
    for outcomes in trace.outcomes:
        owners = [
            owner
            for owner, results in zip(owners, outcomes, strict=True)
            for record in results
            if not isinstance(record, Dispatched)
        ]
    return owners


def walk(trace: Trace, units: Sequence[Unit]) -> Iterator[tuple[Unit, SimpleRecord]]:
    """Every record that left a traced run, with its unit: dispatched ones of all stages, and those of the last."""
    owners = list(units)
    records: Sequence[SimpleRecord] = trace.batch.records
    for outcomes in trace.outcomes:
        pairs = [(owner, record) for owner, results in zip(owners, outcomes, strict=True) for record in results]
        yield from ((owner, record) for owner, record in pairs if isinstance(record, Dispatched))
        owners = [owner for owner, record in pairs if not isinstance(record, Dispatched)]
        records = [record for _, record in pairs if not isinstance(record, Dispatched)]
    yield from zip(owners, records, strict=True)


def unparse(records: Iterable[SimpleRecord]) -> None:
    """Turn parsed documents of records that were dealt with back into their text.

    A parsed document is ten times the size of its text. Letting go of it here, and not when the records are committed,
    keeps thousands of them from being alive at a time.
    """
    for record in records:
        value = record._value
        if type(value) is Document:
            try:
                record._value = value.text()
            except Exception:  # noqa: S112 - delivery finds out, and knows what to do about it
                continue
