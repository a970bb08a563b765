"""Counting records by the ledgers that hold them.

Pulsar counts entries, each of which is a record, or a batch of them where a producer batches. Ours do not; for others
the count is an estimate, by what the partition held on average since the broker took it over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def entries_after(ledgers: Mapping[str, Any], ledger: int, entry: int) -> int:
    """How many entries of the partition come after this one."""
    listed = ledgers.get("ledgers") or ()
    count = 0
    for index, found in enumerate(listed):
        last = index == len(listed) - 1
        size = int(ledgers["currentLedgerEntries"] if last else found["entries"])
        number = int(found["ledgerId"])
        if number > ledger:
            count += size
        elif number == ledger:
            count += max(0, size - entry - 1)
    return count


def entries(ledgers: Mapping[str, Any]) -> int:
    """How many there are."""
    return entries_after(ledgers, -1, -1)


def records_per_entry(ledgers: Mapping[str, Any], stats: Mapping[str, Any]) -> float:
    """On average, 1.0 where nothing was written since the broker took the partition over."""
    added = int(ledgers.get("entriesAddedCounter") or 0)
    return max(1.0, int(stats.get("msgInCounter") or 0) / added) if added else 1.0


def marked(ledgers: Mapping[str, Any], subscription: str) -> tuple[int, int]:
    """The last entry up to which the subscription has acknowledged everything; -1, -1 if there is no subscription."""
    cursor = (ledgers.get("cursors") or {}).get(subscription)
    if not cursor:
        return -1, -1
    ledger, _, entry = str(cursor["markDeletePosition"]).partition(":")
    return int(ledger), int(entry)
