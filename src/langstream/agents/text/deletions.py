"""Records without value among texts: deletions on their way to a sink where that is wanted, else failures."""

from __future__ import annotations

from pydantic import Field

from langstream.configuration.model import Configuration
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import Outcome


class DeletionOptions(Configuration):
    """The option of agents that need a text."""

    pass_deletions: bool = Field(
        default=False,
        description="Records without value pass unchanged, so that a sink deletes by them; else they fail.",
    )


def without_text(record: SimpleRecord, options: DeletionOptions) -> Outcome:
    """What becomes of a record that has no value."""
    if options.pass_deletions:
        return [record]
    return RecordError("the record has no value (null): expected text; `pass-deletions: true` lets such records pass")
