"""What an AI agent keeps beyond one record: the file, with the journal, the cache's copy and the memory in it."""

from __future__ import annotations

from pathlib import Path

from langstream.agents.ai.journal import Journal
from langstream.agents.ai.memory import Memory, MemoryOptions
from langstream.agents.ai.operations import JournalOptions
from langstream.agents.ai.state_file import StateFile


class AgentState:
    """Shared by the replicas of an agent. `directory` None: nothing survives the process."""

    def __init__(self, directory: Path | None, journal: JournalOptions, memory: MemoryOptions | None) -> None:
        self.file = StateFile(directory)
        keeps_journal = directory is not None and journal.enabled
        self.journal = (
            Journal(self.file, max_bytes=journal.max_bytes, expire_seconds=journal.expire_seconds)
            if keeps_journal
            else None
        )
        self.memory = Memory(self.file, memory) if memory is not None else None

    async def start(self) -> None:
        """Open the file. Raises AgentFailed, ServiceError."""
        await self.file.start()
        if self.journal is not None:
            await self.journal.start()
        if self.memory is not None:
            await self.memory.start()

    async def close(self) -> None:
        """Write what is to be written, then close."""
        if self.journal is not None:
            self.journal.close()
        await self.file.close()
