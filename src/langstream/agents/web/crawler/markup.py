"""HTML written out so that people and splitters can read it: blocks on lines of their own, one blank per level.

The tree comes from an HTML5 parser, whose own serialisation is regular (`<` and `>` stand for tags and nothing else);
this module only puts line breaks where they mean nothing. It looks at blocks alone: what is between two of them is
copied, blanks made one. Text inside `pre`, `textarea`, `script` and the like is left as it is.
"""

from __future__ import annotations

import re
from typing import Final

_BLOCKS: Final = """
    html head body frameset frame noframes script noscript style meta link title base section nav aside hgroup header
    footer p h1 h2 h3 h4 h5 h6 ul ol pre div blockquote hr address figure figcaption form fieldset dl dt dd li table
    caption thead tfoot tbody colgroup col tr th td details summary menu template article main center dir search"""
"""Elements that stand on lines of their own; all others stand within lines."""
_HOLD_WORDS: Final = frozenset("title p h1 h2 h3 h4 h5 h6 pre address li th td dt dd summary caption".split())  # noqa: SIM905
"""Blocks whose content begins right after the tag."""
_VOID: Final = frozenset(("base", "col", "frame", "hr", "link", "meta"))
_RAW: Final = "script|style|textarea|xmp|listing|iframe|noembed|noframes|plaintext"

_TOKEN: Final = re.compile(
    rf"<!--.*?-->|<!DOCTYPE[^>]*>|<(?P<raw>{_RAW})(?:\s[^<>]*)?>.*?</(?P=raw)>"
    rf"|<(?P<close>/)?(?P<name>{'|'.join(sorted(_BLOCKS.split(), reverse=True))})(?:\s[^<>]*)?>",
    re.DOTALL,
)
_BLANKS: Final = " \t\n\r\f"
_TAG_OR_BLANKS: Final = re.compile(r"(<[^<>]*>)|[ \t\n\r\f]+")
_RAW_BLOCKS: Final = frozenset(("script", "style", "noframes"))


def pretty(html: str) -> str:
    """The serialised document with its blocks on lines of their own."""
    writer = _Writer()
    position = 0
    for match in _TOKEN.finditer(html):
        begin, end = match.span()
        if begin > position:
            writer.words(html[position:begin])
        position = end
        name = match["name"]
        if name is None:
            raw = match["raw"]
            writer.whole(match[0], raw in _RAW_BLOCKS or (raw is None and html[begin + 2] != "-"))
        elif match["close"]:
            writer.close(name)
        else:
            writer.open(match[0], name)
    if position < len(html):
        writer.words(html[position:])
    return "".join(writer.parts)


class _Writer:
    """Writes blocks and what is between them, and decides where lines end."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._open: list[str] = []
        self._name = ""  # of the innermost block
        self._fresh = True  # the last thing written was a block or its beginning: a line may begin here
        self._empty = True  # nothing was written inside of the innermost block
        self._verbatim = 0

    def words(self, text: str) -> None:
        """Text and elements within lines. Blanks count once, and not beside blocks."""
        if self._verbatim:
            self.parts.append(text)
            return
        if self._fresh:
            text = text.lstrip(_BLANKS)
            if not text:
                return
            if not (self._empty and self._name in _HOLD_WORDS):
                self._line()
        if "\n" in text or "  " in text or "\t" in text or "\r" in text or "\f" in text:
            text = _TAG_OR_BLANKS.sub(lambda match: match[1] or " ", text)
        self.parts.append(text)
        self._fresh = self._empty = False

    def whole(self, markup: str, block: bool) -> None:
        """An element or comment whose content is left alone."""
        if not self._verbatim and (block or (self._fresh and not (self._empty and self._name in _HOLD_WORDS))):
            self._end_words()
            self._line()
        self.parts.append(markup)
        self._fresh = block
        self._empty = False

    def open(self, tag: str, name: str) -> None:
        """A start tag of a block."""
        if not self._verbatim:
            self._end_words()
            self._line()
        self.parts.append(tag)
        self._fresh, self._empty = True, False
        if name in _VOID:
            return
        self._open.append(name)
        self._name, self._empty = name, True
        self._verbatim += name == "pre"

    def close(self, name: str) -> None:
        """An end tag of a block."""
        if self._name == name and self._open:
            self._open.pop()
            self._name = self._open[-1] if self._open else ""
            self._verbatim -= name == "pre"
            if not self._verbatim and name != "pre":
                self._end_words()
                if not self._empty and name not in _HOLD_WORDS:
                    self._line()
        self.parts.append(f"</{name}>")
        self._fresh, self._empty = True, False

    def _end_words(self) -> None:
        if not self._fresh and self.parts[-1][-1:] == " ":
            self.parts[-1] = self.parts[-1].rstrip(_BLANKS)

    def _line(self) -> None:
        if self.parts:
            self.parts.append("\n" + " " * len(self._open))
