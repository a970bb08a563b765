"""The options of `file-source`."""

from __future__ import annotations

from pydantic import Field

from langstream.agents.storage.folder import Selection, compile_glob
from langstream.agents.storage.policy import Policy
from langstream.agents.storage.sizes import Size, bytes_of
from langstream.configuration.model import Configuration, Text, TopicName


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
    max_file_size: Size = Field(
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

    def policy(self) -> Policy:
        """How the files are treated."""
        return Policy(
            idle_time=self.idle_time,
            max_bytes=bytes_of(self.max_file_size),
            delete=self.delete_files,
            emit_deletions=self.emit_deletions,
            deletions_topic=self.deleted_files_topic,
            settle_time=self.settle_time,
            size_option="max-file-size",
            topic_option="deleted-files-topic",
        )

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
