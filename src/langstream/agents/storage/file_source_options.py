"""The options of `file-source`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from langstream.agents.storage.folder import Selection, compile_glob
from langstream.configuration.model import Configuration, Text, TopicName


def _size(text: str) -> str:
    if not re.fullmatch(r"\d+[KMG]?", text):
        raise ValueError(f"{text!r} is not a size: expected a number of bytes, such as 500000, 512K, 100M or 2G")
    return text


class FileSourceConfiguration(Configuration):
    """Options of `file-source`."""

    path: Text = Field(min_length=1, description="The folder. A relative path starts at the application's directory.")
    patterns: tuple[Text, ...] = Field(
        default=("**/*",), min_length=1, description="Globs of wanted files, relative to the folder; `**` is any depth."
    )
    exclude: tuple[Text, ...] = Field(default=(), description="Globs of files that are left alone.")
    file_extensions: Text = Field(
        default="*", description="Wanted extensions, separated by commas, in any case of letters; `*`: all."
    )
    recursive: bool = Field(default=True, description="Whether folders inside the folder are looked through.")
    include_hidden: bool = Field(default=False, description="Whether files and folders beginning with a dot count.")
    idle_time: float = Field(default=5, gt=0, description="Seconds between two looks through the folder.")
    watch: bool = Field(default=True, description="Whether changes wake the source before `idle-time` is over.")
    settle_time: float = Field(
        default=1.0, ge=0, description="Seconds for which a file must be unchanged before it is read."
    )
    max_file_size: Annotated[Text, AfterValidator(_size)] = Field(
        default="100M", description="Larger files are left out, with a warning. Bytes, or a number with K, M or G."
    )
    delete_files: bool = Field(
        default=False, description="Delete a file when its record, and all it led to, is safe. Off: it stays."
    )
    emit_deletions: bool = Field(
        default=False, description="A file that disappears gives a record with its key and a null value."
    )
    deleted_files_topic: TopicName | None = Field(
        default=None, description="Topic for the records of disappeared files, in place of the output."
    )

    @property
    def max_bytes(self) -> int:
        """`max-file-size` as a number."""
        units = {"K": 1024, "M": 1024**2, "G": 1024**3}
        unit = units.get(self.max_file_size[-1], 1)
        return int(self.max_file_size.rstrip("KMG")) * unit

    def selection(self) -> Selection:
        """Which files are wanted."""
        extensions = {part.strip().lower().removeprefix(".") for part in self.file_extensions.split(",")}
        return Selection(
            patterns=tuple(compile_glob(pattern) for pattern in self.patterns),
            excluded=tuple(compile_glob(pattern) for pattern in self.exclude),
            extensions=None if "*" in extensions else frozenset(extensions),
            recursive=self.recursive,
            hidden=self.include_hidden,
        )
