"""Getting the plain text out of documents: web pages, PDF, office files, mail, archives.

Everything works offline and in memory. What cannot be read raises RecordError with the reason; nothing else is raised.
"""

from __future__ import annotations

import email
import email.message
import email.policy
import threading
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from time import monotonic
from typing import Any, Final

from langstream.agents.text.archives import MAX_UNPACKED_BYTES, document_type, opened
from langstream.agents.text.document_kinds import DocumentKind, decoded, kind_of
from langstream.agents.text.html_text import html_text
from langstream.errors import RecordError

MAX_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
MAX_CHARACTERS: Final = 100_000_000
"""Of one document with all that is in it; parts in archives and mails count again where they are put together."""
MAX_DEPTH: Final = 4
"""Documents inside documents (mail in mail, archives in archives) are followed this deep."""

_PDFIUM: Final = threading.Lock()  # PDFium is not made for several threads
_PASSWORD_ERROR: Final = 4  # of PDFium

_OLE_STREAMS: Final = (
    ("EncryptedPackage", None),
    ("WordDocument", "application/msword"),
    ("Workbook", "application/vnd.ms-excel"),
    ("Book", "application/vnd.ms-excel"),
    ("PowerPoint Document", "application/vnd.ms-powerpoint"),
    ("__substg1.0_", "application/vnd.ms-outlook"),
)


class Extractor:
    """Extracts the text of one document, and of the documents in it, until a point in time."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._characters = 0
        self._unpacked = 0

    def text_of(self, data: bytes, depth: int = 0) -> str:
        """The plain text. Raises RecordError."""
        check_size(data)
        self._hurry()
        text = self._text(data, depth)
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            raise RecordError(f"the document has more than {MAX_CHARACTERS:,} characters of text")
        return text

    def _text(self, data: bytes, depth: int) -> str:
        match kind_of(data):
            case DocumentKind.TEXT:
                return decoded(data)
            case DocumentKind.HTML:
                return html_text(data if _is_utf8(data) else decoded(data))
            case DocumentKind.XML:
                return _xml_text(data)
            case DocumentKind.PDF:
                return self._pdf(data)
            case DocumentKind.ARCHIVE:
                return self._archive(data, depth)
            case DocumentKind.MAIL:
                return self._mail(data, depth)
            case DocumentKind.OLE:
                return self._office(data, _ole_type(data))
            case DocumentKind.RTF:
                return self._office(data, "application/rtf")
            case DocumentKind.MEDIA:
                return ""
            case _:
                raise RecordError("the document is of no known kind: it is neither text nor a format that can be read")

    def _pdf(self, data: bytes) -> str:
        import pypdfium2

        with _PDFIUM:
            try:
                document = pypdfium2.PdfDocument(data)
            except pypdfium2.PdfiumError as error:
                if getattr(error, "err_code", None) == _PASSWORD_ERROR or "assword" in str(error):
                    raise RecordError("the PDF is encrypted: it cannot be read without its password") from None
                raise RecordError(f"the PDF is damaged: {error}") from None
            try:
                return "\n".join(self._pages(document)).replace("\r\n", "\n")
            except pypdfium2.PdfiumError as error:
                raise RecordError(f"the PDF is damaged: {error}") from None
            finally:
                document.close()

    def _pages(self, document: Any) -> Iterator[str]:
        for number in range(len(document)):
            self._hurry()
            page = document[number]
            text_page = page.get_textpage()
            yield text_page.get_text_range()
            text_page.close()
            page.close()

    def _archive(self, data: bytes, depth: int) -> str:
        with opened(data) as archive:
            media_type = document_type(archive)
            if media_type is not None and media_type != "application/zip":
                return self._office(data, media_type)
            if depth >= MAX_DEPTH:
                return ""
            return "\n\n".join(filter(None, (self._entry(archive, entry, depth) for entry in archive.infolist())))

    def _entry(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, depth: int) -> str:
        if entry.is_dir():
            return ""
        self._hurry()
        self._unpacked += entry.file_size
        if self._unpacked > MAX_UNPACKED_BYTES:
            raise RecordError(f"the archives in the archive unpack to more than {MAX_UNPACKED_BYTES:,} bytes")
        try:
            with archive.open(entry) as file:
                content = file.read(entry.file_size)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError, EOFError) as error:
            raise RecordError(f"the archive is damaged: '{entry.filename}' cannot be unpacked: {error}") from None
        return self._part(content, depth)

    def _part(self, content: bytes, depth: int) -> str:
        """The text of a document inside another; parts without text do not spoil the whole."""
        if kind_of(content) is DocumentKind.UNKNOWN or depth >= MAX_DEPTH:
            return ""
        return self.text_of(content, depth + 1).strip()

    def _mail(self, data: bytes, depth: int) -> str:
        message = email.message_from_bytes(data, policy=email.policy.default)
        subject = _header(message, "subject")
        return "\n\n".join(filter(None, (subject, *self._mail_parts(message, depth))))

    def _mail_parts(self, message: email.message.Message, depth: int) -> Iterator[str]:
        if message.get_content_type() == "multipart/alternative":
            yield self._best_alternative(message, depth)
        elif message.get_content_type() == "message/rfc822":
            for part in message.get_payload():
                if isinstance(part, email.message.Message) and depth < MAX_DEPTH:
                    yield self._mail(part.as_bytes(), depth + 1)
        elif message.is_multipart():
            for part in message.get_payload():
                if isinstance(part, email.message.Message) and depth < MAX_DEPTH:
                    yield from self._mail_parts(part, depth + 1)
        else:
            yield self._mail_leaf(message, depth)

    def _best_alternative(self, message: email.message.Message, depth: int) -> str:
        """The plain text of a message that has it, else the first part with any text."""
        parts = [part for part in message.get_payload() if isinstance(part, email.message.Message)]
        parts.sort(key=lambda part: part.get_content_type() != "text/plain")
        texts = ("\n\n".join(filter(None, self._mail_parts(part, depth + 1))) for part in parts)
        return next(filter(None, texts), "") if depth < MAX_DEPTH else ""

    def _mail_leaf(self, message: email.message.Message, depth: int) -> str:
        content = message.get_payload(decode=True)
        if not isinstance(content, bytes):
            return ""
        if message.get_content_maintype() != "text":
            return self._part(content, depth)
        try:
            text = content.decode(message.get_content_charset() or "utf-8")
        except (LookupError, UnicodeDecodeError):
            text = decoded(content)
        return html_text(text) if message.get_content_subtype() == "html" else text.replace("\r\n", "\n").strip()

    def _office(self, data: bytes, media_type: str | None) -> str:
        if media_type is None:
            raise RecordError("the document is encrypted: it cannot be read without its password")
        import kreuzberg

        options: dict[str, Any] = {
            "use_cache": False,  # else copies of the text would be kept in the home directory
            "disable_ocr": True,
            "output_format": "plain",
            "extraction_timeout_secs": max(1, int(self._deadline - monotonic())),
        }
        try:
            return str(kreuzberg.extract_bytes_sync(data, media_type, kreuzberg.ExtractionConfig(**options)).content)
        except kreuzberg.KreuzbergError as error:
            raise RecordError(f"the document ({media_type}) cannot be read: {_first_line(error)}") from None

    def _hurry(self) -> None:
        if monotonic() > self._deadline:
            raise RecordError("reading the document takes too long")


def check_size(data: bytes) -> None:
    """Raises RecordError for a document that is too large to be read."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise RecordError(f"the document has {len(data):,} bytes: at most {MAX_DOCUMENT_BYTES:,} are read")


def _xml_text(data: bytes) -> str:
    try:
        root = ET.fromstring(data)  # noqa: S314 - expat limits what entities may expand to
    except (ET.ParseError, ValueError, LookupError):
        return decoded(data)  # not XML after all
    pieces = (piece.strip() for piece in root.itertext())
    return "\n".join(filter(None, pieces))


def _ole_type(data: bytes) -> str | None:
    """The media type by the names of the streams inside; None for encrypted documents."""
    for name, media_type in _OLE_STREAMS:
        if name.encode("utf-16-le") in data:
            return media_type
    raise RecordError("the document is damaged, or of a kind that cannot be read (an OLE container without text)")


def _header(message: email.message.Message, name: str) -> str:
    try:
        return str(message.get(name) or "").strip()
    except (ValueError, LookupError, IndexError):  # the standard parser stumbles over some malformed headers
        return ""


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return b"charset" in data[:2048].lower()  # the parser reads the declaration itself
    return True


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
