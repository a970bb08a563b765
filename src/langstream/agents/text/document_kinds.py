"""What kind of document some bytes are, told from the content alone."""

from __future__ import annotations

import re
from enum import Enum, auto

SAMPLE_BYTES = 4096


class DocumentKind(Enum):
    """The ways in which text is got out of a document."""

    TEXT = auto()
    HTML = auto()
    XML = auto()
    RTF = auto()
    MAIL = auto()
    PDF = auto()
    ARCHIVE = auto()
    """A zip file: office documents, e-books, plain archives."""
    OLE = auto()
    """The office formats of before 2007, and encrypted ones of today."""
    MEDIA = auto()
    """Images, sound, video: there is no text in them."""
    UNKNOWN = auto()


_SIGNATURES: tuple[tuple[bytes, DocumentKind], ...] = (
    (b"%PDF-", DocumentKind.PDF),
    (b"PK\x03\x04", DocumentKind.ARCHIVE),
    (b"PK\x05\x06", DocumentKind.ARCHIVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", DocumentKind.OLE),
    (b"{\\rtf", DocumentKind.RTF),
    (b"\x89PNG\r\n\x1a\n", DocumentKind.MEDIA),
    (b"\xff\xd8\xff", DocumentKind.MEDIA),
    (b"GIF8", DocumentKind.MEDIA),
    (b"BM", DocumentKind.MEDIA),
    (b"II*\x00", DocumentKind.MEDIA),
    (b"MM\x00*", DocumentKind.MEDIA),
    (b"RIFF", DocumentKind.MEDIA),
    (b"OggS", DocumentKind.MEDIA),
    (b"fLaC", DocumentKind.MEDIA),
    (b"ID3", DocumentKind.MEDIA),
    (b"\xff\xfb", DocumentKind.MEDIA),
    (b"\x1a\x45\xdf\xa3", DocumentKind.MEDIA),
)
_WEAK = (b"BM", b"ID3", b"RIFF", b"GIF8", b"OggS", b"fLaC")  # could begin a text as well
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
_HTML = re.compile(
    rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|meta|div|p|h[1-6]|table|span|ul|ol|br|img|b|i|a\s+href)\b",
    re.IGNORECASE | re.DOTALL,
)
_XML = re.compile(rb"^\s*(?:<\?xml\b|<!--|<!DOCTYPE\b|<[A-Za-z_][\w.:-]*(?:\s[^<>]*)?/?>)")
_MAIL_HEADER = re.compile(
    rb"^(from|to|cc|subject|date|received|return-path|delivered-to|message-id|mime-version|content-type|reply-to|sender"
    rb"|x-[a-z0-9-]+|dkim-signature|in-reply-to|references|content-transfer-encoding|user-agent):",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(rb"^[!-9;-~]+:|^[ \t]|^From ")


def kind_of(data: bytes) -> DocumentKind:
    """The kind of the document."""
    if b"%PDF-" in data[:1024] and data.lstrip()[:1] != b"<":
        return DocumentKind.PDF
    for signature, kind in _SIGNATURES:
        if data.startswith(signature) and not (signature in _WEAK and _is_text(data)):
            return kind
    if data[4:8] == b"ftyp":
        return DocumentKind.MEDIA
    sample = data[:SAMPLE_BYTES].removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(sample):
        return DocumentKind.HTML
    if not _is_text(data):
        return DocumentKind.UNKNOWN
    if _XML.match(sample) and data.rstrip().endswith(b">"):
        return DocumentKind.HTML if b"<html" in sample.lower() else DocumentKind.XML
    return DocumentKind.MAIL if _is_mail(sample) else DocumentKind.TEXT


def decoded(data: bytes) -> str:
    """Plain text: by its byte order mark, as UTF-8, or, where that fails, as Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _is_text(data: bytes) -> bool:
    sample = data[:SAMPLE_BYTES]
    return sample.startswith(_BYTE_ORDER_MARKS) or b"\x00" not in sample


def _is_mail(sample: bytes) -> bool:
    """At least two headers of mail, and nothing but headers up to the first empty line."""
    known: set[bytes] = set()
    for line in sample.replace(b"\r\n", b"\n").split(b"\n"):
        if not line:
            break
        if not _HEADER_LINE.match(line):
            return False
        if match := _MAIL_HEADER.match(line):
            known.add(match.group(1).lower())
    return len(known) >= 2 and bool(known & {b"from", b"received", b"message-id", b"mime-version", b"return-path"})
