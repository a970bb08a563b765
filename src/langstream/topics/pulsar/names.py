"""Names of topics: short ones of the application, full ones of Pulsar, and the members of groups in between."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_PARTITION: Final = re.compile(r"(?P<topic>.+)-partition-\d+")
_HIDDEN: Final = "__"


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where the topics are."""

    tenant: str
    name: str

    def full(self, topic: str) -> str:
        """The topic as Pulsar names it."""
        return f"persistent://{self.tenant}/{self.name}/{topic}"

    def path(self, topic: str) -> tuple[str, str, str, str]:
        """The topic as a path of the administration interface."""
        return "persistent", self.tenant, self.name, topic


def short_names(full: list[str]) -> list[str]:
    """The topics among those that Pulsar lists, each once, without its own."""
    found = set()
    for name in full:
        short = name.rpartition("/")[2]
        divided = _PARTITION.fullmatch(short)
        found.add(divided["topic"] if divided else short)
    return sorted(name for name in found if not name.startswith(_HIDDEN))


def partition_name(topic: str, number: int) -> str:
    """The short name of one partition of a divided topic."""
    return f"{topic}-partition-{number}"


def membership_prefix(group: str) -> str:
    """What the names of the subscriptions begin with by which members of the group show themselves."""
    return f"langstream-member.{group}"


def shows_member(subscription: str, group: str) -> bool:
    """Whether it is one of those; the client appends `-reader-` and a random text."""
    return subscription.rpartition("-reader-")[0] == membership_prefix(group)
