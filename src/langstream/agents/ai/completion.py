"""What chat and text completions have in common: asking the service, streaming the pieces, storing the answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from langstream.agents.ai.chunks import ChunkStream, NoPublisher, Publisher
from langstream.agents.ai.connection import AIConnection
from langstream.agents.ai.options import CompletionConfiguration
from langstream.agents.ai.prompt_log import log_text, logged_options
from langstream.agents.working_record import WorkingRecord, result_field
from langstream.errors import AgentFailed, LangStreamError, ServiceError
from langstream.expressions import compile_condition
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, Counter, Metrics, NoMetrics, Outcome
from langstream.services.ai.contract import AIService, Chunk, FinishReason, ToolCall, Usage

ATTEMPTS: Final = 3
"""Attempts for an answer that broke off in the middle, as long as nobody has seen a piece of it."""


@dataclass(slots=True)
class Answer:
    """What the pieces of one answer add up to."""

    texts: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    tool_calls: tuple[ToolCall, ...] = ()
    thoughts: tuple[Mapping[str, Any], ...] = ()
    finish: FinishReason | None = None

    def add(self, chunk: Chunk) -> None:
        """Take a piece."""
        self.texts.append(chunk.text)
        self.tokens.extend(chunk.tokens)
        self.logprobs.extend(chunk.logprobs)
        self.tool_calls = self.tool_calls or tuple(chunk.tool_calls)
        self.thoughts = self.thoughts or tuple(chunk.thoughts)
        self.finish = self.finish or chunk.finish

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.texts)


@dataclass(frozen=True, slots=True)
class CompletionCounters:
    """The counters of one agent. Tokens are counted where the service tells them."""

    calls: Counter
    errors: Counter
    prompt_tokens: Counter
    completions_tokens: Counter
    total_tokens: Counter

    @classmethod
    def of(cls, metrics: Metrics, prefix: str) -> CompletionCounters:
        """The counters whose names begin with the prefix, such as `openai_chat_completions`."""
        return cls(
            metrics.counter(f"{prefix}_num_calls", "Calls of the AI service"),
            metrics.counter(f"{prefix}_num_errors", "Calls that failed"),
            metrics.counter(f"{prefix}_prompt_tokens", "Tokens of prompts, as counted by the service"),
            metrics.counter(f"{prefix}_completions_tokens", "Tokens of answers, as counted by the service"),
            metrics.counter(f"{prefix}_total_tokens", "Tokens of prompts and answers"),
        )

    def count(self, usage: Usage | None) -> None:
        """Add what one answer used."""
        if usage is not None:
            self.prompt_tokens.inc(usage.prompt_tokens)
            self.completions_tokens.inc(usage.completion_tokens)
            self.total_tokens.inc(usage.total_tokens)


class CompletionAgent(AsyncProcessor):
    """Base of both agents. Subclasses render the prompt and call the service."""

    agent_type: str
    task: str

    def __init__(self, configuration: CompletionConfiguration) -> None:
        self.batching = Batching(max_records=1, concurrency=configuration.concurrency, ordering="serial")
        self._model = configuration.model
        self._configuration = configuration
        self._condition: Callable[[Any], bool] | None = (
            compile_condition(configuration.when) if configuration.when is not None else None
        )
        self._store = result_field(configuration.completion_field)
        self._store_log = result_field(configuration.log_field) if configuration.log_field else None
        self._logged_options = logged_options(self.agent_type, configuration)
        self._connection = AIConnection(configuration.ai_service, "completions")
        self._chunks: ChunkStream | None = None
        self._counters = CompletionCounters.of(NoMetrics(), self.task)

    async def start(self, context: AgentContext) -> None:
        await self._connection.start(context)
        prefix = self._connection.provider.metrics_prefix
        self._counters = CompletionCounters.of(context.metrics, f"{prefix}_{self.task}")
        self._chunks = self._chunk_stream(context)

    async def close(self) -> None:
        await self._connection.close()

    def info(self) -> dict[str, Any]:
        return self._connection.info(self._model)

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        return [await self._outcome(record) for record in records]

    @abstractmethod
    def render(self, working: WorkingRecord) -> Sequence[Any]:
        """The prompt for the record. Raises TemplateError."""

    @abstractmethod
    def call(self, service: AIService, prompt: Sequence[Any]) -> AsyncGenerator[Chunk, None]:
        """The pieces of the service's answer to the prompt."""

    def logged(self, prompt: Sequence[Any]) -> Sequence[Any]:
        """The prompt as it stands in the log field."""
        return prompt

    def store(self, working: WorkingRecord, answer: Answer) -> None:
        """Store more than the text of the answer."""

    def _chunk_stream(self, context: AgentContext) -> ChunkStream | None:
        configuration = self._configuration
        topic = configuration.stream_to_topic
        if not topic or not configuration.stream:
            return None
        if context.topics is None:
            raise AgentFailed(f"there is no broker to write to `stream-to-topic` {topic}")
        name = configuration.stream_response_completion_field or configuration.completion_field
        return ChunkStream(context.topics, topic, result_field(name), configuration.min_chunks_per_message)

    async def _outcome(self, record: SimpleRecord) -> Outcome:
        try:
            working = WorkingRecord(record)
            if self._condition is not None and not self._condition(working):
                return [record]
            prompt = self.render(working)
            answer = await self.converse(prompt, working, record)
            if self._store_log is not None:
                self._store_log(working, log_text(self._logged_options, self.logged(prompt), self._model))
            self.store(working, answer)
        except LangStreamError as error:
            return error
        return [working.to_record()]

    async def converse(self, prompt: Sequence[Any], working: WorkingRecord, record: SimpleRecord) -> Answer:
        """Ask for the answer, as often as it takes, and store what came of it."""
        publisher = self.publisher(record)
        answer = await self.ask(prompt, record, publisher)
        await publisher.finish()
        self._store(working, answer.text)
        return answer

    def publisher(self, record: SimpleRecord) -> Publisher:
        """Where the pieces of one answer go. It is told the end of the answer by `finish`."""
        return self._chunks.publisher(record) if self._chunks is not None else NoPublisher()

    async def ask(self, prompt: Sequence[Any], record: SimpleRecord, publisher: Publisher) -> Answer:
        """One whole answer. One that breaks off is asked for again, unless pieces of it are on the topic already:
        then the record fails, and its retry by the node streams anew under another `stream-id`."""
        attempt = 1
        while True:
            publisher.begin()
            answer = Answer()
            try:
                await self._listen(prompt, answer, publisher)
                return answer
            except ServiceError as error:
                again = answer.texts and error.retryable and attempt < ATTEMPTS
                if not (again and publisher.take_back()):
                    raise
            attempt += 1

    async def _listen(self, prompt: Sequence[Any], answer: Answer, publisher: Publisher) -> None:
        service = self._connection.service
        self._counters.calls.inc()
        try:
            async with aclosing(self.call(service, prompt)) as chunks:
                async for chunk in chunks:
                    answer.add(chunk)
                    self._counters.count(chunk.usage)
                    await publisher.add(chunk)
        except ServiceError:
            self._counters.errors.inc()
            raise
