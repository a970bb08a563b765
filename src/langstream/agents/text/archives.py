"""Zip files: office documents, e-books and plain archives. Their directory is looked at before anything is unpacked."""

from __future__ import annotations

import io
import zipfile

from langstream.errors import RecordError

MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 512 * 1024 * 1024
MAX_RATIO = 150
"""Greatest size unpacked, divided by the size packed, of archives that unpack to more than `FREE_BYTES`."""
FREE_BYTES = 32 * 1024 * 1024

OPEN_XML = "application/vnd.openxmlformats-officedocument."
_OFFICE = {
    "word/": f"{OPEN_XML}wordprocessingml.document",
    "xl/": f"{OPEN_XML}spreadsheetml.sheet",
    "ppt/": f"{OPEN_XML}presentationml.presentation",
}
_LONGEST_MIME_TYPE = 200


def opened(data: bytes) -> zipfile.ZipFile:
    """The archive, if it is one and its directory promises nothing outrageous. Raises RecordError otherwise."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError) as error:
        raise RecordError(f"the document is damaged: it begins like a zip file but {_reason(error)}") from None
    _check_directory(archive.infolist(), len(data))
    return archive


def document_type(archive: zipfile.ZipFile) -> str | None:
    """The media type of an office document or e-book; None for a plain archive."""
    names = archive.namelist()
    if "mimetype" in names and archive.getinfo("mimetype").file_size <= _LONGEST_MIME_TYPE:
        try:
            return archive.read("mimetype").decode("ascii", "replace").strip() or None
        except (zipfile.BadZipFile, RuntimeError, ValueError, OSError):
            raise RecordError("the document is damaged: a part of its zip file cannot be unpacked") from None
    if "[Content_Types].xml" in names:
        for folder, media_type in _OFFICE.items():
            if any(name.startswith(folder) for name in names):
                return media_type
    return None


def _check_directory(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MAX_ENTRIES:
        raise RecordError(f"the document is a zip file of {len(entries)} entries: at most {MAX_ENTRIES} are unpacked")
    if any(entry.flag_bits & 1 for entry in entries):
        raise RecordError("the document is encrypted: it cannot be read without its password")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED_BYTES:
        raise RecordError(
            f"the document would unpack to {unpacked:,} bytes: at most {MAX_UNPACKED_BYTES:,} are unpacked"
        )
    if unpacked > FREE_BYTES and unpacked > MAX_RATIO * size:
        raise RecordError(
            f"the document looks like a zip bomb: {size:,} bytes would unpack to {unpacked:,}, "
            f"more than {MAX_RATIO} times as many"
        )
    if sum(entry.compress_size for entry in entries) > size:
        raise RecordError("the document looks like a zip bomb: its entries overlap")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
