"""Pipelines of the application as tools: the arguments go to one topic, the answer comes from another.

The record with the arguments has the key and headers of the record that is being answered, and two headers more, of
which the first must be on the answer too; agents keep headers unless told otherwise. Answers that nobody waits for any
more, and those to other replicas, are passed over.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from langstream.agents.ai.tools.configuration import PipelineEntry
from langstream.agents.ai.tools.toolbox import Toolbox, ToolFailed, result_text
from langstream.errors import AgentFailed, LangStreamError
from langstream.records import Record, SimpleRecord, dump_json, header_text
from langstream.sdk.contract import AgentContext, TopicListener, TopicWriter
from langstream.services.ai.contract import Tool, ToolCall

LOG = logging.getLogger(__name__)

CALL_HEADER: Final = "langstream-tool-call"
"""Tells which call a record belongs to."""
NAME_HEADER: Final = "langstream-tool"
ERROR_HEADER: Final = "langstream-tool-error"
"""On an answer: the call failed, with these words."""

POLL_SECONDS: Final = 1.0
AGAIN_SECONDS: Final = 1.0
_OWN: Final = (CALL_HEADER, NAME_HEADER, ERROR_HEADER)


class PipelineTool(Toolbox):
    """One pipeline."""

    def __init__(self, entry: PipelineEntry) -> None:
        self._entry = entry
        self.timeout_seconds = entry.timeout_seconds
        self._tool = Tool(entry.name, entry.description, entry.parameters)
        self._writer: TopicWriter | None = None
        self._listener: TopicListener | None = None
        self._listening: asyncio.Task[None] | None = None
        self._waiting: dict[str, asyncio.Future[Record]] = {}

    async def start(self, context: AgentContext) -> None:
        """Begin to listen for answers. Raises AgentFailed without a broker."""
        if context.topics is None or context.listen is None:
            raise AgentFailed(f"the tool '{self._entry.name}' needs a broker")
        self._writer = context.topics
        self._listener = await context.listen(self._entry.output_topic)
        self._listening = asyncio.create_task(self._listen(self._listener))

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()

    def tools(self) -> Sequence[Tool]:
        return [self._tool]

    async def call(
        self, call: ToolCall, arguments: Mapping[str, Any], record: SimpleRecord, timeout_seconds: float
    ) -> str:
        assert self._writer is not None
        number = uuid.uuid4().hex
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        headers = [(name, value) for name, value in record.headers() if name not in _OWN]
        headers += [(CALL_HEADER, number), (NAME_HEADER, self._entry.name)]
        try:
            request = SimpleRecord(dump_json(dict(arguments)).decode(), record.key(), headers)
            await self._writer.send(self._entry.input_topic, [request])
            return _content(await answer)
        except LangStreamError as error:
            raise ToolFailed(f"the topic '{self._entry.input_topic}' cannot be written: {error}") from None
        finally:
            del self._waiting[number]

    async def _listen(self, listener: TopicListener) -> None:
        while True:
            try:
                for record in await listener.read(500, POLL_SECONDS):
                    self._take(record)
            except LangStreamError as error:
                LOG.warning("Tool %r cannot read topic %r: %s", self._entry.name, self._entry.output_topic, error)
                await asyncio.sleep(AGAIN_SECONDS)

    def _take(self, record: Record) -> None:
        answer = self._waiting.get(_header(record, CALL_HEADER) or "")
        if answer is not None and not answer.done():
            answer.set_result(record)


def _content(record: Record) -> str:
    """The value of an answer as text. Raises ToolFailed where the pipeline says that it failed."""
    failure = _header(record, ERROR_HEADER)
    if failure is not None:
        raise ToolFailed(failure or "the pipeline failed")
    value = record.value()
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ToolFailed("the answer of the pipeline is not text") from None
    return result_text(value)


def _header(record: Record, name: str) -> str | None:
    return next((header_text(value) for found, value in record.headers() if found == name), None)
