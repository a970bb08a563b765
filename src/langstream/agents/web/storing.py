"""Whether a record can hold an answer, found out before the answer is asked for."""

from __future__ import annotations

from langstream.agents.working_record import ResultField, WorkingRecord
from langstream.errors import RecordError
from langstream.records import SimpleRecord


def check_storable(store: ResultField, record: SimpleRecord) -> None:
    """Raise RecordError if the record has no place for a result: a request would be sent, and paid for, in vain."""
    try:
        store(WorkingRecord(record), "")
    except RecordError as error:
        error.retryable = False
        raise
