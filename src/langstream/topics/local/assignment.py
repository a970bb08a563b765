"""Who reads which partition: equal shares, and nobody gives up more than needed.

Members decide for themselves, each looking at the same claims: one with more than its quota gives the rest up, one
with less takes what is free. Quotas add up to the number of partitions, so this ends with every partition claimed
and shares that differ by one at most.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Move:
    """What one member should do now."""

    claim: tuple[int, ...]
    give_up: tuple[int, ...]


def next_move(member: str, members: Sequence[str], partitions: Sequence[int], owners: Mapping[int, str]) -> Move:
    """The member's move. `members` are in order of joining; `owners` has the claimed partitions."""
    held = {name: [partition for partition in partitions if owners.get(partition) == name] for name in members}
    mine = held[member]
    quota = quotas(members, {name: len(those) for name, those in held.items()}, len(partitions))[member]
    free = [partition for partition in partitions if owners.get(partition) not in held]
    return Move(claim=tuple(free[: max(0, quota - len(mine))]), give_up=tuple(mine[quota:]))


def quotas(members: Collection[str], held: Mapping[str, int], partitions: int) -> dict[str, int]:
    """Shares by member; odd partitions go to those who hold most already, then to those who joined first."""
    share, odd = divmod(partitions, len(members))
    ranked = sorted(members, key=lambda name: -held[name])
    return {name: share + (rank < odd) for rank, name in enumerate(ranked)}
