"""Looking through a folder: which files are there, which of them are wanted, and reading one that may be changing."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from langstream.agents.storage.ledger import Version


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


@dataclass(slots=True)
class Listing:
    """What a look through the folder found. `unreadable` are folders whose files are unknown, "" the root itself."""

    files: dict[str, Version] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    def knows_about(self, path: str) -> bool:
        """Whether the absence of the path means that the file is gone."""
        return not any(folder == "" or path.startswith(f"{folder}/") for folder in self.unreadable)


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


def within(total_bytes: int, files: Sequence[tuple[str, Version]]) -> Iterator[tuple[str, Version]]:
    """As many of the files as fit into a budget; at least the first."""
    used = 0
    for path, version in files:
        used += version.size
        if used > total_bytes and used != version.size:
            return
        yield path, version
