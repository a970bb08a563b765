"""Pipelines as tools: arguments go to a topic, answers come from another, told apart by a header."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from langstream.agents.ai.tools.configuration import PipelineEntry
from langstream.agents.ai.tools.pipeline_tools import CALL_HEADER, ERROR_HEADER, NAME_HEADER, PipelineTool
from langstream.agents.ai.tools.toolbox import ToolFailed
from langstream.errors import AgentFailed, BrokerUnavailable
from langstream.records import Record, SimpleRecord
from langstream.sdk.contract import AgentContext
from langstream.services.ai.contract import ToolCall

ENTRY = PipelineEntry.model_validate(
    {
        "type": "pipeline",
        "name": "search",
        "description": "Search.",
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
        "input-topic": "questions",
        "output-topic": "answers",
    }
)
ASKING = SimpleRecord("x", "k1", [("session", "s1"), (CALL_HEADER, "of another tool")])


class Pipeline:
    """Both topics, and what stands between them: `answer` makes the records of one question."""

    def __init__(self) -> None:
        self.asked: list[Record] = []
        self.broken = False
        self._out: asyncio.Queue[Record] = asyncio.Queue()
        self.closed = False
        self.was_asked = asyncio.Event()

    def answer(self, question: Record) -> Sequence[Record]:
        return [SimpleRecord(f"found {question.value()}", question.key(), question.headers())]

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        assert topic == "questions"
        if self.broken:
            raise BrokerUnavailable("the disk is full")
        for record in records:
            self.asked.append(record)
            self.was_asked.set()
            for answer in self.answer(record):
                self._out.put_nowait(answer)

    async def listen(self, topic: str) -> Pipeline:
        assert topic == "answers"
        return self

    async def read(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        return [await self._out.get()]

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def pipeline() -> Pipeline:
    return Pipeline()


@pytest.fixture
async def tool(pipeline: Pipeline) -> AsyncIterator[PipelineTool]:
    """The tool, at work."""
    tool = PipelineTool(ENTRY)
    await tool.start(AgentContext("a", "app", topics=pipeline, listen=pipeline.listen))
    yield tool
    await tool.close()
    assert pipeline.closed


async def call(tool: PipelineTool, **arguments: Any) -> str:
    async with asyncio.timeout(30):
        return await tool.call(ToolCall("1", "search", "{}"), arguments, ASKING, 30)


async def test_the_arguments_travel_and_the_answer_comes_back(tool: PipelineTool, pipeline: Pipeline) -> None:
    assert await call(tool, q="cats") == 'found {"q":"cats"}'
    (question,) = pipeline.asked
    assert (question.key(), question.value()) == ("k1", '{"q":"cats"}')
    headers = dict(question.headers())
    assert (headers["session"], headers[NAME_HEADER]) == ("s1", "search")
    assert headers[CALL_HEADER] != "of another tool"
    assert len(question.headers()) == 3


async def test_answers_find_their_questions_whatever_else_is_on_the_topic(
    tool: PipelineTool, pipeline: Pipeline
) -> None:
    waiting: list[Record] = []

    def answer(question: Record) -> Sequence[Record]:
        waiting.append(question)
        if len(waiting) < 10:
            return []
        own = [SimpleRecord(str(asked.value()), None, asked.headers()) for asked in reversed(waiting)]
        return [SimpleRecord("of nobody"), SimpleRecord("of others", None, [(CALL_HEADER, "7")]), *own, *own]

    pipeline.answer = answer  # type: ignore[method-assign]
    found = await asyncio.gather(*(call(tool, q=str(number)) for number in range(10)))
    assert found == [f'{{"q":"{number}"}}' for number in range(10)]


@pytest.mark.parametrize(("value", "text"), [({"a": 1}, '{"a":1}'), (b"bytes", "bytes"), (None, "null"), (7, "7")])
async def test_answers_become_text(tool: PipelineTool, pipeline: Pipeline, value: Any, text: str) -> None:
    pipeline.answer = lambda question: [SimpleRecord(value, None, question.headers())]  # type: ignore[method-assign]
    assert await call(tool) == text


async def test_a_pipeline_can_say_that_it_failed(tool: PipelineTool, pipeline: Pipeline) -> None:
    pipeline.answer = lambda question: [  # type: ignore[method-assign]
        SimpleRecord(None, None, [*question.headers(), (ERROR_HEADER, "no such cat")])
    ]
    with pytest.raises(ToolFailed, match="no such cat"):
        await call(tool)


async def test_a_topic_that_cannot_be_written_fails_the_call(tool: PipelineTool, pipeline: Pipeline) -> None:
    pipeline.broken = True
    with pytest.raises(ToolFailed, match="the disk is full"):
        await call(tool)


async def test_a_call_that_is_given_up_leaves_nothing_behind(tool: PipelineTool, pipeline: Pipeline) -> None:
    pipeline.answer = lambda question: []  # type: ignore[method-assign]
    under_way = asyncio.create_task(call(tool))
    await pipeline.was_asked.wait()
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    assert tool._waiting == {}


async def test_without_a_broker_it_does_not_start() -> None:
    with pytest.raises(AgentFailed, match="needs a broker"):
        await PipelineTool(ENTRY).start(AgentContext("a", "app"))
