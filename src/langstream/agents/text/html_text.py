"""The visible text of HTML, with the breaks a reader would see."""

from __future__ import annotations

import re
from typing import Final

INVISIBLE: Final = "script,style,noscript,template,svg,iframe,object,head>meta,head>link"
PARAGRAPHS: Final = (
    "title,p,div,h1,h2,h3,h4,h5,h6,ul,ol,dl,table,blockquote,pre,form,section,article,header,footer,nav,aside,main,figure,"
    "fieldset,address,details,hr"
)
LINES: Final = "br,li,tr,dt,dd,option,figcaption,caption,summary,legend"
CELLS: Final = "td,th"

# Markers that HTML text cannot hold: the parser turns such characters of the source into something else or drops them.
_PARAGRAPH, _LINE, _CELL, _KEPT_LINE, _KEPT_BLANK = "\ue000", "\ue001", "\ue002", "\ue003", "\ue004"
_BLANKS = re.compile(r"[ \t\r\n\f]+")
_AROUND_BREAKS = re.compile(rf" *([{_PARAGRAPH}{_LINE}{_CELL}]) *")
_BREAKS = re.compile(rf"[{_PARAGRAPH}{_LINE}{_CELL}]*{_PARAGRAPH}[{_PARAGRAPH}{_LINE}{_CELL}]*")
_LINE_BREAKS = re.compile(rf"[{_LINE}{_CELL}]*{_LINE}[{_LINE}{_CELL}]*")
_MARKERS = re.compile("[\ue000-\ue004]")


def html_text(source: str | bytes) -> str:
    """Title and body as text: paragraphs apart by an empty line, list items, rows and `<br>` on lines of their own."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(_unmarked(source))
    for node in tree.css(INVISIBLE):
        node.decompose()
    for node in tree.css("pre"):
        node.replace_with(_kept(node.text()))
    for selector, marker in ((PARAGRAPHS, _PARAGRAPH), (LINES, _LINE), (CELLS, _CELL)):
        for node in tree.css(selector):
            node.insert_before(marker)
            node.insert_after(marker)
    root = tree.root
    text = _BLANKS.sub(" ", root.text() if root is not None else "")
    text = _AROUND_BREAKS.sub(r"\1", text)
    text = _LINE_BREAKS.sub("\n", _BREAKS.sub("\n\n", text)).replace(_CELL + _CELL, "\t").replace(_CELL, " ")
    return text.replace(_KEPT_LINE, "\n").replace(_KEPT_BLANK, " ").strip()


def _kept(text: str) -> str:
    """Preformatted text keeps its lines and blanks."""
    kept = text.strip("\n").replace("\t", "    ").replace(" ", _KEPT_BLANK).replace("\n", _KEPT_LINE)
    return f"{_PARAGRAPH}{kept}{_PARAGRAPH}"


def _unmarked(source: str | bytes) -> str | bytes:
    if isinstance(source, str):
        return _MARKERS.sub("", source)
    return source.replace(b"\xee\x80\x80", b"").replace(b"\xee\x80\x81", b"").replace(b"\xee\x80\x82", b"")
