"""robots.txt as RFC 9309 has it, with the two extensions in common use: `Crawl-delay` and `Sitemap`.

Groups are chosen by the crawler's product token; several groups for it count as one. The longest matching rule wins,
an allowing one where two are equally long. `*` and a closing `$` are understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

MAX_BYTES = 512 * 1024
"""What lies beyond is ignored; the RFC asks for 500 KiB at least."""
MAX_DELAY_SECONDS = 300.0
"""A site that wants longer pauses between two pages does not want to be crawled."""

_TOKEN = re.compile(r"[A-Za-z_\-]+")
_COMPATIBLE = re.compile(r"compatible;\s*([A-Za-z_\-]+)", re.IGNORECASE)
_LINE = re.compile(r"\s*([A-Za-z \-]+?)\s*:\s*(.*?)\s*")
_FIELDS = {
    "user-agent": "agent",
    "useragent": "agent",
    "user agent": "agent",
    "allow": "allow",
    "disallow": "disallow",
    "dissallow": "disallow",
    "crawl-delay": "delay",
    "crawldelay": "delay",
    "sitemap": "sitemap",
    "site-map": "sitemap",
}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


@dataclass(frozen=True, slots=True)
class Rule:
    """A path pattern with `*` and a closing `$`."""

    allow: bool
    text: str
    parts: tuple[str, ...]
    anchored: bool

    def matches(self, target: str) -> bool:
        """Whether the target begins as the pattern says. Linear: a hostile pattern costs no more than another."""
        if not target.startswith(self.parts[0]):
            return False
        position, last = len(self.parts[0]), len(self.parts) - 1
        for part in self.parts[1 : last if self.anchored else None]:
            found = target.find(part, position)
            if found < 0:
                return False
            position = found + len(part)
        if not self.anchored:
            return True
        return position == len(target) if last == 0 else target[position:].endswith(self.parts[last])


@dataclass(frozen=True, slots=True)
class Robots:
    """What a site asks of one crawler."""

    rules: tuple[Rule, ...] = ()
    delay_seconds: float | None = None
    sitemaps: tuple[str, ...] = ()

    def allows(self, target: str) -> bool:
        """Whether the path (with its query) may be visited. Too long a delay forbids everything."""
        if target == "/robots.txt":
            return True
        if self.delay_seconds is not None and self.delay_seconds > MAX_DELAY_SECONDS:
            return False
        if not self.rules:
            return True
        target = _normal(target)
        best = (-1, True)
        for rule in self.rules:
            candidate = (len(rule.text), rule.allow)
            if candidate > best and rule.matches(target):
                best = candidate
        return best[1]


EVERYTHING = Robots()
"""The rules of a site that has none."""


def product_token(user_agent: str) -> str:
    """The name by which robots.txt knows a crawler: that after `compatible;`, else the first product."""
    match = _COMPATIBLE.search(user_agent)
    if match is not None:
        return match[1].lower()
    first = _TOKEN.search(user_agent)
    return first[0].lower() if first else ""


@lru_cache(maxsize=256)
def parse_robots(content: str, token: str) -> Robots:
    """The rules for the crawler of that product token. Lines that mean nothing are skipped."""
    groups: dict[str, list[tuple[str, str]]] = {}
    members: list[str] = []
    sitemaps: list[str] = []
    in_rules = True
    for field, value in _fields(content):
        if field == "sitemap":
            sitemaps.append(value)
        elif field == "agent":
            members = [] if in_rules else members
            in_rules = False
            members.append(_name(value))
            groups.setdefault(members[-1], [])
        else:
            in_rules = True
            for member in members:
                groups[member].append((field, value))
    chosen = groups.get(token) if token in groups else groups.get("*", [])
    return _robots(chosen or [], sitemaps)


def _robots(lines: Iterable[tuple[str, str]], sitemaps: list[str]) -> Robots:
    rules = []
    delay: float | None = None
    for field, value in lines:
        if field == "delay":
            delay = _seconds(value, delay)
        elif value:
            text = _normal(value if value[0] in "/*" else f"/{value}")
            anchored = text.endswith("$")
            parts = tuple(re.split(r"\*+", text.removesuffix("$")))
            rules.append(Rule(field == "allow", text, parts, anchored))
    return Robots(tuple(rules), delay, tuple(dict.fromkeys(sitemaps)))


def _fields(content: str) -> Iterable[tuple[str, str]]:
    for line in re.split(r"\r\n|\r|\n", content.removeprefix("\ufeff")):
        match = _LINE.fullmatch(line.partition("#")[0] if "sitemap" not in line.lower() else line)
        field = _FIELDS.get(match[1].lower()) if match else None
        if match is not None and field is not None:
            yield field, match[2]


def _name(value: str) -> str:
    if value.startswith("*"):
        return "*"
    match = _TOKEN.match(value)
    return match[0].lower() if match else ""


def _seconds(value: str, known: float | None) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return known
    return seconds if 0 <= seconds < float("inf") else known


def _normal(text: str) -> str:
    """Escapes compare equal to what they stand for, unless that would change the meaning."""
    text = _ESCAPE.sub(_unescaped, text)
    return "".join(
        character if character.isascii() else "".join(f"%{byte:02X}" for byte in character.encode(errors="replace"))
        for character in text
    )


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else f"%{match[1].upper()}"
