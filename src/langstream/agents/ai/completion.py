"""What chat and text completions have in common: asking the service, streaming the pieces, storing the answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from langstream.agents.ai.chunks import ChunkStream, NoPublisher, Publisher, cancellable
from langstream.agents.ai.exchange import Exchange
from langstream.agents.ai.memory import MemoryOptions
from langstream.agents.ai.model_call import Answer, ModelCall
from langstream.agents.ai.models import Models
from langstream.agents.ai.options import CompletionConfiguration
from langstream.agents.ai.prompt_log import log_text, logged_options
from langstream.agents.ai.recall import Recall, Recalled, without_memory
from langstream.agents.ai.structured_output import Mismatch, Structure, can_be_repaired, corrected, missed
from langstream.agents.working_record import WorkingRecord, result_field
from langstream.errors import AgentFailed, LangStreamError
from langstream.expressions import compile_condition
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, Batching, NoMetrics, Outcome, Place, PlacedProcessor
from langstream.sdk.tracing import HEADER, Attribute, NoTracer, Tracer


class CompletionAgent(PlacedProcessor):
    """Base of both agents. Subclasses render the prompt and say what is asked."""

    interruptible = True
    agent_type: str
    task: str

    def __init__(self, configuration: CompletionConfiguration, memory: MemoryOptions | None = None) -> None:
        most = min(configuration.concurrency, configuration.requests_per_minute or configuration.concurrency)
        self.batching = Batching(max_records=1, concurrency=most, ordering="serial")
        self._model = configuration.model
        self._configuration = configuration
        self._condition: Callable[[Any], bool] | None = (
            compile_condition(configuration.when) if configuration.when is not None else None
        )
        self._store = result_field(configuration.completion_field)
        self._store_log = result_field(configuration.log_field) if configuration.log_field else None
        self._logged_options = logged_options(self.agent_type, configuration)
        self._recall = Recall(memory) if memory is not None else None
        self._models = Models(configuration, self.task, memory)
        schema = configuration.response_schema
        self._structure = Structure(schema) if schema is not None else None
        self._repairs = NoMetrics().counter("repairs")
        self._chunks: ChunkStream | None = None
        self._tracer: Tracer = NoTracer()
        self._agent_id = ""

    async def start(self, context: AgentContext) -> None:
        self._tracer, self._agent_id = context.tracer, context.agent_id
        await self._models.start(context)
        self._chunks = self._chunk_stream(context)
        prefix = f"{self._models.provider.metrics_prefix}_{self.task}"
        self._repairs = context.metrics.counter(f"{prefix}_num_repairs", "Answers asked for again, for their structure")

    async def close(self) -> None:
        await self._models.close()

    def info(self) -> dict[str, Any]:
        return self._models.info()

    async def process_placed(
        self, records: Sequence[SimpleRecord], places: Sequence[Place | None]
    ) -> Sequence[Outcome]:
        return [await self._outcome(record, place) for record, place in zip(records, places, strict=True)]

    def is_told(self, record: SimpleRecord) -> bool:
        return self._chunks is not None and id(record) in self._chunks.told

    def committed(self, topic: str, partition: int, next_offset: int) -> None:
        self._models.committed(topic, partition, next_offset)

    def settled(self, content: bytes) -> None:
        self._models.settled(content)

    @abstractmethod
    def render(self, working: WorkingRecord) -> Sequence[Any]:
        """The prompt for the record. Raises TemplateError."""

    @abstractmethod
    def request(self, prompt: Sequence[Any]) -> ModelCall:
        """What is asked of the model."""

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

    async def _outcome(self, record: SimpleRecord, place: Place | None) -> Outcome:
        try:
            working = WorkingRecord(record)
            if self._condition is not None and not self._condition(working):
                return [record]
            with self._tracer.record(f"process {self._agent_id}", record, self._described(place)) as span:
                await self._process(working, record, place)
                if traceparent := span.traceparent():
                    working.set_property(HEADER, traceparent)
        except LangStreamError as error:
            return error
        finally:
            if self._chunks is not None:
                self._chunks.told.discard(id(record))
        return [working.to_record()]

    async def _process(self, working: WorkingRecord, record: SimpleRecord, place: Place | None) -> None:
        prompt = self.render(working)
        exchange = Exchange(record, place, self._models.ask, self._model, self._tracer)
        async with self._recalled(prompt, working, exchange) as recalled:
            prompt = recalled.prompt
            answer = await self.converse(prompt, working, exchange)
            await recalled.keep(answer.text)
        if self._store_log is not None:
            self._store_log(working, log_text(self._logged_options, self.logged(prompt), self._model))
        self.store(working, answer)
        if self._configuration.usage_headers:
            for name, text in exchange.headers():
                working.set_property(name, text)

    def _described(self, place: Place | None) -> dict[str, Attribute]:
        """The record, for traces."""
        described: dict[str, Attribute] = {
            "langstream.agent.id": self._agent_id,
            "langstream.agent.type": self.agent_type,
        }
        if place is not None and place.topic:
            described["messaging.destination.name"] = place.topic
            described["messaging.destination.partition.id"] = str(place.partition)
            described["langstream.offset"] = place.offset
        return described

    def _recalled(
        self, prompt: Sequence[Any], working: WorkingRecord, exchange: Exchange
    ) -> AbstractAsyncContextManager[Recalled]:
        memory = self._models.memory
        if self._recall is None or memory is None:
            return without_memory(prompt)
        return self._recall.turn(memory, prompt, working, exchange)

    async def converse(self, prompt: Sequence[Any], working: WorkingRecord, exchange: Exchange) -> Answer:
        """Ask for the answer, as often as it takes, and store what came of it."""
        publisher = self.publisher(exchange.record)
        async with cancellable(publisher):
            call, answer = await self.reply(self.request(prompt), working, exchange, publisher)
        if self._structure is None:
            self._store(working, answer.text)
        else:
            try:
                found = self._structure.read(answer.text)
            except Mismatch as mismatch:
                if not can_be_repaired(answer):
                    raise missed(answer, mismatch, repaired=False) from None
                async with cancellable(publisher):
                    publisher = self.publisher(exchange.record)
                    call = corrected(call, answer, mismatch)
                    answer, found = await self._repaired(call, working, exchange, publisher)
            self._store(working, found)
        await publisher.finish()
        return answer

    async def reply(
        self, call: ModelCall, working: WorkingRecord, exchange: Exchange, publisher: Publisher
    ) -> tuple[ModelCall, Answer]:
        """The answer to the call, and the call that led to it: the same, or one with more in its conversation."""
        return call, await exchange.ask(call, publisher)

    async def _repaired(
        self, call: ModelCall, working: WorkingRecord, exchange: Exchange, publisher: Publisher
    ) -> tuple[Answer, Any]:
        """The second answer, streamed anew. Raises RecordError where it misses the schema again."""
        assert self._structure is not None
        self._repairs.inc()
        async with cancellable(publisher):
            _, answer = await self.reply(call, working, exchange, publisher)
        try:
            return answer, self._structure.read(answer.text)
        except Mismatch as mismatch:
            raise missed(answer, mismatch, repaired=True) from None

    def publisher(self, record: SimpleRecord) -> Publisher:
        """Where the pieces of one answer go. It is told the end of the answer by `finish`."""
        return self._chunks.publisher(record) if self._chunks is not None else NoPublisher()
