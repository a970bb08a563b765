"""Processes for work on texts that may take long, hang, or bring a parser down: as many as there are cores.

A request that takes too long, too much memory, or kills its process is a RecordError, and the next request gets another
process. The event loop only passes bytes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from langstream.agents.text.worker import DONE, DONE_AND_GONE, FAILED, HEADER
from langstream.errors import RecordError
from langstream.sdk.contract import Counter, Metrics, NoMetrics

MEMORY_BYTES: Final = 1536 * 1024 * 1024
"""What a process may take beyond what its libraries need."""
SECONDS: Final = 120.0
"""How long one request may take."""
GRACE_SECONDS: Final = 5.0
"""The process is to notice by itself that time is up; so much later it is killed."""
LONGEST_ANSWER: Final = 512 * 1024 * 1024
STREAM_BYTES: Final = 1024 * 1024

Work = Literal["extract", "split", "normalise"]


def cores() -> int:
    """How many processes are worth having."""
    return max(2, min(8, os.cpu_count() or 2))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost."""

    memory_bytes: int = MEMORY_BYTES
    seconds: float = SECONDS
    grace_seconds: float = GRACE_SECONDS


class NonsenseAnswered(Exception):
    """A process wrote what is no answer."""


@dataclass(slots=True)
class Workers:
    """Processes of one kind, made when they are needed and kept for the next request. `what` begins messages."""

    work: Work
    what: str
    options: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = Limits()
    most: int = field(default_factory=cores)
    ended: Counter = field(default_factory=lambda: NoMetrics().counter("none"))
    _idle: list[asyncio.subprocess.Process] = field(default_factory=list)
    _places: asyncio.Semaphore | None = None

    async def ask(self, content: bytes) -> bytes:
        """The answer. Raises RecordError where there is none."""
        if self._places is None:
            self._places = asyncio.Semaphore(self.most)
        async with self._places:
            process = self._idle.pop() if self._idle else await self._started()
            try:
                async with asyncio.timeout(self.limits.seconds + self.limits.grace_seconds):
                    kind, answer = await _exchange(process, content)
            except TimeoutError:
                self.ended.inc()
                await _end(process)
                raise _final(f"{self.what} takes longer than {self.limits.seconds:g} s") from None
            except NonsenseAnswered as error:
                self.ended.inc()
                await _end(process)
                raise RecordError(f"{self.what} makes the parser fail: {error}") from None
            except (asyncio.IncompleteReadError, OSError):
                self.ended.inc()
                raise RecordError(f"{self.what} {await _cause(process)}") from None
            except BaseException:
                await _end(process)
                raise
            if kind == DONE_AND_GONE:
                await _end(process)
            else:
                self._idle.append(process)
        if kind == FAILED:
            raise _final(answer.decode("utf-8", "replace"))
        return answer

    def counted(self, metrics: Metrics) -> None:
        """Count the processes that come to a bad end."""
        description = "Processes that a text or document brought down, or that took too long for one."
        self.ended = metrics.counter("text_processes_ended", description)

    async def close(self) -> None:
        """End them all."""
        while self._idle:
            await _end(self._idle.pop())

    async def _started(self) -> asyncio.subprocess.Process:
        limits = self.limits
        options = json.dumps(self.options)
        arguments = (self.work, str(limits.memory_bytes), str(limits.seconds), options, str(os.getpid()))
        return await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "langstream.agents.text.worker", *arguments,  # -P: not from the current folder
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            limit=STREAM_BYTES,
        )  # fmt: skip


def _final(message: str) -> RecordError:
    """An error that another attempt would meet again."""
    error = RecordError(message)
    error.retryable = False
    return error


async def _cause(process: asyncio.subprocess.Process) -> str:
    """Why the process is gone."""
    try:
        async with asyncio.timeout(GRACE_SECONDS):
            code = await process.wait()
    except TimeoutError:
        code = 0
    await _end(process)
    if code in (-signal.SIGABRT, -signal.SIGKILL):
        return "needs too much memory, or makes the parser fail: its process was ended"
    name = signal.Signals(-code).name if -code in {number.value for number in signal.Signals} else f"status {code}"
    return f"makes the parser crash ({name})"


async def _exchange(process: asyncio.subprocess.Process, content: bytes) -> tuple[bytes, bytes]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(HEADER.pack(len(content)))
    process.stdin.write(content)
    await process.stdin.drain()
    kind = await process.stdout.readexactly(1)
    if kind not in (DONE, DONE_AND_GONE, FAILED):
        raise NonsenseAnswered("the answer is none")
    (size,) = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
    if size > LONGEST_ANSWER:
        raise NonsenseAnswered("the answer is too long")
    return kind, await process.stdout.readexactly(size)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
    if process.stdin is not None:
        process.stdin.close()
    with suppress(Exception):
        await asyncio.shield(process.wait())
