"""A folder as the place of a source: which files are there, which of them are wanted, reading one that may change."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import stat
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from langstream.agents.storage.place import Deleted, Listing, Read
from langstream.errors import ServiceError
from langstream.services.objects.contract import Content, Version

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files are wanted. Patterns are matched against the path relative to the folder, with `/`."""

    patterns: tuple[re.Pattern[str], ...]
    excluded: tuple[re.Pattern[str], ...] = ()
    extensions: frozenset[str] | None = None
    recursive: bool = True
    hidden: bool = False

    def wants(self, path: str) -> bool:
        """Whether the file at that relative path is to be read."""
        name = path.rpartition("/")[2]
        if self.extensions is not None and name.rpartition(".")[2 if "." in name else 0].lower() not in self.extensions:
            return False
        if not any(pattern.fullmatch(path) for pattern in self.patterns):
            return False
        return not any(pattern.fullmatch(path) for pattern in self.excluded)

    def covers(self, path: str) -> bool:
        """Whether a look would come upon a file at that path, and want it."""
        parts = path.split("/")
        if not self.hidden and any(part.startswith(".") for part in parts):
            return False
        return (self.recursive or len(parts) == 1) and self.wants(path)


def compile_glob(pattern: str) -> re.Pattern[str]:
    r"""A glob as an expression: `*` and `?` stay within a folder, `**` crosses folders, `[ab]` and `[!ab]` are sets."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        if rest.startswith("**/"):
            parts.append("(?:.*/)?")
            position += 3
        elif rest.startswith("**"):
            parts.append(".*")
            position += 2
        elif match := re.match(r"\[(!?)([^\]/]+)\]", rest):
            parts.append(f"[{'^' if match[1] else ''}{re.escape(match[2]).replace(chr(92) + '-', '-')}]")
            position += match.end()
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0]) or re.escape(rest[0]))
            position += 1
    return re.compile("".join(parts), re.DOTALL)


def list_files(root: Path, selection: Selection) -> Listing:
    """Every wanted regular file. Links to folders are not followed; links to files only if they stay inside."""
    listing = Listing()
    try:
        real_root = root.resolve(strict=True)
    except OSError:
        listing.unreadable.append("")
        return listing
    folders = [("", root)]
    while folders:
        prefix, folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            listing.unreadable.append(prefix)
            continue
        for entry in entries:
            path = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.name.startswith(".") and not selection.hidden:
                continue
            if entry.is_dir(follow_symlinks=False):
                if selection.recursive:
                    folders.append((path, Path(entry.path)))
            elif selection.wants(path) and (version := _version(entry, real_root)) is not None:
                listing.files[path] = version
    return listing


def _version(entry: os.DirEntry[str], root: Path) -> Version | None:
    try:
        if entry.is_symlink() and not Path(entry.path).resolve(strict=True).is_relative_to(root):
            return None
        status = entry.stat()
    except (OSError, RuntimeError):  # gone meanwhile, or a loop of links
        return None
    return Version(status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None


def read_file(file: Path, expected: Version) -> tuple[bytes, Version] | None:
    """The content and its version with digest, or None if the file is not, or no longer, the expected one."""
    try:
        with file.open("rb") as opened:
            content = opened.read(expected.size + 1)
            status = os.fstat(opened.fileno())
    except OSError:
        return None
    if len(content) != expected.size or (status.st_size, status.st_mtime_ns) != (expected.size, expected.modified_ns):
        return None
    return content, Version(expected.size, expected.modified_ns, blake2b(content, digest_size=16).digest())


def delete_file(file: Path, version: Version) -> bool:
    """Delete the file if it is still this version; True when it is gone."""
    try:
        status = file.stat()
        if (status.st_size, status.st_mtime_ns) != (version.size, version.modified_ns):
            return False
        file.unlink()
    except FileNotFoundError:
        return True
    return True


class FolderPlace:
    """The wanted files of a folder, which may come and go as a whole."""

    def __init__(self, root: Path, selection: Selection) -> None:
        self.root = root
        self._selection = selection
        self._missing = False

    async def start(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def look(self) -> AsyncGenerator[Listing, None]:
        """Everything on one page."""
        listing = await asyncio.to_thread(list_files, self.root, self._selection)
        missing = "" in listing.unreadable
        if missing and not self._missing:
            logger.warning("the folder %s does not exist or cannot be read: waiting for it", self.root)
        self._missing = missing
        yield listing

    def covers(self, name: str) -> bool:
        """Whether the selection comes upon it."""
        return self._selection.covers(name)

    async def read(self, objects: Sequence[tuple[str, Version]]) -> Sequence[Read]:
        """One thread for all of them."""
        return await asyncio.to_thread(self._read, objects)

    def _read(self, objects: Sequence[tuple[str, Version]]) -> list[Read]:
        found = [read_file(self.root / path, version) for path, version in objects]
        return [Content(*each) if each is not None else None for each in found]

    async def delete(self, objects: Mapping[str, Version]) -> Mapping[str, Deleted]:
        """One thread for all of them."""
        return await asyncio.to_thread(lambda: {path: self._delete(path, objects[path]) for path in objects})

    def _delete(self, path: str, version: Version) -> Deleted:
        try:
            return delete_file(self.root / path, version)
        except OSError as error:
            return ServiceError(str(error), category="refused")

    def address(self, name: str) -> str:
        """The path of the file."""
        return str(self.root / name)
