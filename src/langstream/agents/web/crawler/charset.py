"""Which character set a page is written in: what browsers do, with one liberty.

A byte-order mark wins over the header, the header over the page's own `<meta>`; names mean what the WHATWG says they
mean (`iso-8859-1` is windows-1252). The liberty: a page that is valid UTF-8 and does not decode as it claims is UTF-8.
"""

from __future__ import annotations

import codecs
import re
from types import MappingProxyType
from typing import Final

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"))
_META: Final = re.compile(
    rb"<meta[^>]+?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]+)|<\?xml[^>]+?encoding\s*=\s*[\"']([A-Za-z0-9_:.\-]+)",
    re.IGNORECASE,
)
_PARAMETER: Final = re.compile(r";\s*charset\s*=\s*[\"']?\s*([^\s;\"']+)", re.IGNORECASE)
_META_BYTES: Final = 4096
_MEANING: Final = MappingProxyType(
    {
        "iso8859-1": "cp1252",
        "ascii": "cp1252",
        "iso8859-9": "cp1254",
        "iso8859-11": "cp874",
        "tis-620": "cp874",
        "gb2312": "gb18030",
        "gbk": "gb18030",
        "shift_jis": "cp932",
        "euc_kr": "cp949",
        "big5": "big5hkscs",
        "utf-7": "cp1252",
    }
)


def decode_page(body: bytes, content_type: str) -> tuple[str, str]:
    """The text of a page, and the character set that it was in."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace"), name
    name = _declared(body, content_type) or "utf-8"
    try:
        return body.decode(name), name
    except (UnicodeDecodeError, LookupError):
        pass
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        # An undeclared page that is not UTF-8 is from the time before it; a declared one has a few bad bytes.
        fallback = "cp1252" if name == "utf-8" and _declared(body, content_type) is None else name
        return body.decode(fallback, "replace"), fallback


def with_charset(content_type: str, name: str) -> str:
    """The content type, telling another character set than it did, if it told any."""
    return _PARAMETER.sub(f";charset={name}", content_type)


def _declared(body: bytes, content_type: str) -> str | None:
    match = _PARAMETER.search(content_type)
    if match is not None and (name := _known(match[1])):
        return name
    found = _META.search(body, 0, _META_BYTES)
    if found is None:
        return None
    name = _known((found[1] or found[2]).decode("ascii"))
    # A page that can be searched for ASCII text is not UTF-16, whatever it says.
    return "utf-8" if name is not None and name.startswith("utf-16") else name


def _known(label: str) -> str | None:
    try:
        info = codecs.lookup(label.strip().lower().removeprefix("x-"))
    except (LookupError, ValueError):
        return None
    if not getattr(info, "_is_text_encoding", True):  # base64, zlib and others decode no text
        return None
    return _MEANING.get(info.name, info.name)
