"""`file-source`: a folder as a source, the local twin of the object-store sources.

Changes wake the source at once where the system can watch folders; otherwise, and as a safeguard, the folder is looked
through every `idle-time` seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import mimetypes
import time
from pathlib import Path

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.storage.file_source_options import FileSourceConfiguration
from langstream.agents.storage.folder import FolderPlace
from langstream.agents.storage.object_source import ObjectSource
from langstream.errors import AgentFailed
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext
from langstream.services.objects.contract import Content

logger = logging.getLogger(__name__)

WATCH_MILLISECONDS = 50
"""Changes that follow each other this closely wake the source once."""
DELETED = "sourceObjectDeleted"


class FileRecords:
    """Records of files: the key is the path relative to the folder."""

    def __init__(self, place: FolderPlace) -> None:
        self._place = place

    def delivery(self, name: str, content: Content, diff: str) -> SimpleRecord:
        """Path and bytes; the time is that of the file."""
        headers = [
            ("name", name),
            ("path", self._place.address(name)),
            ("content-type", mimetypes.guess_type(name)[0] or "application/octet-stream"),
            ("content_diff", diff),
        ]
        return SimpleRecord(content.data, name, headers, None, content.version.modified_ns // 1_000_000)

    def deletion(self, name: str) -> SimpleRecord:
        """A record without value."""
        headers = [("name", name), ("path", self._place.address(name)), ("recordType", DELETED)]
        return SimpleRecord(None, name, headers, None, time.time_ns() // 1_000_000)

    def notice(self, name: str) -> SimpleRecord:
        """The same record, on a topic of its own."""
        return self.deletion(name)


class FileSource(ObjectSource):
    """Delivers the files of a folder; see `ObjectSource`."""

    def __init__(self, configuration: FileSourceConfiguration) -> None:
        self._options = configuration
        self._folder = FolderPlace(Path(configuration.path), configuration.selection())
        self._watcher: asyncio.Task[None] | None = None
        super().__init__(self._folder, FileRecords(self._folder), configuration.policy(), {})

    async def start(self, context: AgentContext) -> None:
        """Find the folder, open the ledger and begin to watch."""
        self._folder.root = await asyncio.to_thread(_folder, self._options.path, context.code_directory)
        self._labels = {"path": str(self._folder.root)}
        await super().start(context)
        if self._options.watch:
            self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop watching and close the ledger."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        await super().close()

    async def _watch(self) -> None:
        from watchfiles import awatch

        root = self._folder.root
        while True:
            try:
                if root.is_dir():
                    changes = awatch(
                        root,
                        recursive=self._options.recursive,
                        step=WATCH_MILLISECONDS,
                        debounce=10 * WATCH_MILLISECONDS,
                        watch_filter=None,
                    )
                    async for _ in changes:
                        self._changed.set()
            except (OSError, RuntimeError) as error:
                logger.warning("%s cannot be watched (%s): it is looked through instead", root, error)
                return
            await asyncio.sleep(self._options.idle_time)


def _folder(path: str, base: Path | None) -> Path:
    root = ((base or Path.cwd()) / Path(path).expanduser()).absolute()
    if root.exists() and not root.is_dir():
        raise AgentFailed(f"file-source reads folders, but {root} is a file")
    return root


AGENT = AgentType(
    name="file-source",
    component_type=ComponentType.SOURCE,
    configuration=FileSourceConfiguration,
    create=FileSource,
    summary="Reads the files of a folder, new and changed ones, as records.",
    description="""\
The key is the file's path relative to the folder, the value its bytes; headers: `name`, `path`, `content-type` and
`content_diff` (`new` or `content_changed`). What was delivered is remembered across restarts. A file that may still be
written to is waited for; writers do best to write elsewhere and rename. Links that lead out of the folder are ignored.
Replicas share the files by their names.""",
    composable=Composable.OPTIONAL,
    family="storage",
    keeps_state=True,
    example="""\
- type: file-source
  output: documents
  configuration:
    path: ./inbox
    patterns: ["**/*.md", "**/*.txt"]
    emit-deletions: true
""",
    example_files={
        "inbox/hello.txt": """\
Hello, Ada!
"""
    },
)
