"""HTML written out so that people and splitters can read it: blocks on lines of their own, one blank per level.

The tree comes from an HTML5 parser, whose own serialisation is regular; this module only puts line breaks where they
mean nothing. Text inside `pre`, `textarea`, `script` and `style` is left as it is.
"""

from __future__ import annotations

import re
from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_INLINE: Final = _words("""
    a abbr acronym area audio b base basefont bdi bdo big br button canvas cite code command data datalist del dfn
    device em embed font i iframe img input ins kbd keygen label map mark math meter noscript object output param
    progress q rb rp rt rtc ruby s samp script select slot small source span strike strong style sub summary sup svg
    textarea time track tt u var video wbr title option optgroup""")
"""Elements that stand within lines."""
_HOLDS_LINES: Final = _words("a address button del h1 h2 h3 h4 h5 h6 ins li p pre s script style td th title")
"""Elements whose content begins right after the tag."""
_VOID: Final = _words("area base br col embed hr img input link meta param source track wbr")
_TOKEN: Final = re.compile(
    r"<!--.*?-->|<!DOCTYPE[^>]*>"
    r"|<(?P<raw>textarea|script|style|xmp|listing|iframe|noembed|noframes)(?:\s[^<>\"]*(?:\"[^\"]*\"[^<>\"]*)*)?>"
    r".*?</(?P=raw)>"
    r"|<(?P<close>/)?(?P<name>[^\s/>]+)(?:\s+[^\s=>]+(?:=\"[^\"]*\")?)*\s*>"
    r"|(?P<text>[^<]+)|<",
    re.DOTALL,
)
_SPACE: Final = re.compile(r"[ \t\n\r\f]+")
_BLANKS: Final = " \t\n\r\f"


def pretty(html: str) -> str:
    """The serialised document with its blocks on lines of their own."""
    writer = _Writer()
    for match in _TOKEN.finditer(html):
        kind = match.lastgroup
        if kind == "text":
            writer.text(match["text"])
        elif kind == "raw":
            writer.whole(match[0], match["raw"])
        elif kind != "name":
            writer.text(match[0]) if match[0] == "<" else writer.whole(
                match[0], "doctype" if html[match.start() + 2] != "-" else ""
            )
        elif match["close"]:
            writer.close(match["name"])
        else:
            writer.open(match[0], match["name"])
    return "".join(writer.parts)


class _Element:
    """An element that is being written."""

    __slots__ = ("after_block", "empty", "holds_words", "lines", "name")

    def __init__(self, name: str, lines: bool) -> None:
        self.name = name
        self.holds_words = name not in _INLINE or name in ("title", "option")
        self.lines = lines  # what it holds stands on lines of its own
        self.empty = True
        self.after_block = False  # what was written last inside was a block


class _Writer:
    """Writes tokens and decides where lines end."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._open = [_Element("", True)]
        self._space = False
        self._verbatim = 0

    def text(self, text: str) -> None:
        """A piece of text; blanks count once, and not at the ends of lines."""
        if self._verbatim:
            self.parts.append(text)
            return
        words = text.strip(_BLANKS)
        if not words:
            self._space = True
            return
        self._begin(False, text[0] in _BLANKS)
        self.parts.append(_SPACE.sub(" ", words))
        self._space = text[-1] in _BLANKS

    def open(self, tag: str, name: str) -> None:
        """A start tag."""
        block = name not in _INLINE
        self._begin(block)
        self.parts.append(tag)
        self._verbatim += name == "pre"
        if name not in _VOID:
            self._open.append(_Element(name, block and name not in _HOLDS_LINES))

    def close(self, name: str) -> None:
        """An end tag."""
        element = self._open[-1]
        if element.name == name and len(self._open) > 1:
            self._open.pop()
            self._verbatim -= name == "pre"
            if element.lines and not element.empty and not self._verbatim:
                self._line()
            if element.name not in _INLINE:
                self._space = False
        self.parts.append(f"</{name}>")

    def whole(self, markup: str, name: str) -> None:
        """An element or comment whose content is left alone; a comment stands within lines, a doctype does not."""
        self._begin(bool(name) and name not in _INLINE)
        self.parts.append(markup)

    def _begin(self, block: bool, space: bool = False) -> None:
        parent = self._open[-1]
        if self._verbatim:
            parent.empty = False
            return
        if block or parent.after_block or (parent.lines and parent.empty):
            self._line()
        elif (space or self._space) and not (parent.empty and parent.holds_words):
            self.parts.append(" ")
        self._space = False
        parent.empty = False
        parent.after_block = block

    def _line(self) -> None:
        if self.parts:
            self.parts.append("\n" + " " * (len(self._open) - 1))
