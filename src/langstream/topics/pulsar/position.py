"""Offsets of Pulsar: message ids as numbers that grow along a partition.

A message id is a ledger, an entry of it, and the place in the entry where producers batch. The number keeps all three,
so that it leads back to the very message; there are gaps between them, and they do not start at zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ENTRY_BITS: Final = 32
BATCH_BITS: Final = 16
"""A batch holds at most 65,535 messages of those that a broker takes."""
_ENTRIES: Final = (1 << ENTRY_BITS) - 1
_LEDGER_SHIFT: Final = ENTRY_BITS + BATCH_BITS


def offset_of(ledger: int, entry: int, batch: int = -1) -> int:
    """The number of a message; -1 as the place in the batch means that there is none."""
    return ledger << _LEDGER_SHIFT | entry << BATCH_BITS | (max(0, batch))


def entry_of(offset: int) -> tuple[int, int]:
    """Ledger and entry that hold the message."""
    return offset >> _LEDGER_SHIFT, offset >> BATCH_BITS & _ENTRIES


def nothing_before(end: int) -> bool:
    """Whether the ledger that ends here holds nothing: a message would be behind its first place."""
    return not end & ((1 << _LEDGER_SHIFT) - 1)


def end_of(last: Mapping[str, Any]) -> int:
    """The next offset after the last message, as the administration interface tells it."""
    ledger, entry = int(last.get("ledgerId", -1)), int(last.get("entryId", -1))
    if ledger < 0:
        return 0
    if entry < 0:
        return offset_of(ledger, 0)
    return offset_of(ledger, entry, int(last.get("batchIndex", -1))) + 1
