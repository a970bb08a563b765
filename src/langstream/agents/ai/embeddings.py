"""`compute-ai-embeddings`: computes the vectors of texts made from records, several records per request."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import Field, model_validator

from langstream.agents.ai.operations import BudgetWait, CircuitOptions, RequestsPerMinute, TokensPerMinute
from langstream.agents.ai.options import LegacyTemplate
from langstream.agents.ai.reference import AIServiceName, check_ai_service, check_fallback
from langstream.agents.ai.vectors import EmbeddingsClient
from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.working_record import ResultField, WorkingRecord, result_field
from langstream.configuration.model import Configuration, Expression, Text
from langstream.errors import LangStreamError, RecordError, ServiceError
from langstream.expressions import compile_condition, compile_expression
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, Outcome
from langstream.services.ai.prices import Price
from langstream.templates import compile_template

NAME: Final = "compute-ai-embeddings"

Vector: TypeAlias = list[float]

_LIST_FIELD: Final = re.compile(r"(?:value|key)\.[^.\[\]()\s]+")
_ITEM_FIELD: Final = re.compile(r"record\.[^.\s]+")


class EmbeddingsFallback(Configuration):
    """A service that is asked when those before it do not answer."""

    ai_service: AIServiceName = Field(description="The AI resource.")
    model: Text | None = Field(None, description="The same model, under the name that it has there.")


class EmbeddingsConfiguration(Configuration):
    """Options of `compute-ai-embeddings`."""

    text: LegacyTemplate = Field(description="The text, a template. With `loop-over` it sees only `record`, the item.")
    embeddings_field: str = Field(
        description="Where the vector goes: a field of the record, or `record.NAME` of each item with `loop-over`."
    )
    model: Text | None = Field(
        None, description="The model; by default that of the service (OpenAI: text-embedding-ada-002)."
    )
    ai_service: AIServiceName | None = Field(
        None, description="The AI resource to use. Without it the first one of the application, by type."
    )
    when: Expression | None = Field(None, description="Only records for which this holds; the others pass unchanged.")
    loop_over: Expression | None = Field(
        None, description="A list of objects in the record, as `value.NAME` or `key.NAME`: a vector for each of them."
    )
    batch_size: int = Field(10, ge=1, description="Most records per request.")
    flush_interval: int = Field(
        0, ge=0, description="Milliseconds that a record waits for others to share its request; 0: none."
    )
    concurrency: int = Field(4, description="Requests under way at one time; less than 1 counts as 1.")
    fallback: list[EmbeddingsFallback] = Field(
        [], description="Services asked, in this order, when the first one fails. Their vectors must fit the others."
    )
    circuit: CircuitOptions = Field(
        CircuitOptions(), description="When a service that fails is left alone. Where there is a `fallback` only."
    )
    requests_per_minute: RequestsPerMinute = None
    tokens_per_minute: TokensPerMinute = None
    budget_wait_seconds: BudgetWait = 600.0
    prices: dict[str, Price] = Field(
        {}, description="Prices of models, per million tokens; they go before those of the service."
    )
    pass_deletions: bool = Field(
        False, description="Records without value pass unchanged, so that a sink deletes by them."
    )
    options: dict[str, Any] | None = Field(None, description="Further options of the service for this model.")
    arguments: dict[str, Any] | None = Field(None, description="Arguments of the model (Hugging Face).")
    model_url: str | None = Field(None, description="Address of the model (Hugging Face, local).")

    @model_validator(mode="after")
    def _fields_fit(self) -> EmbeddingsConfiguration:
        if self.loop_over is None:
            result_field(self.embeddings_field)
        elif not _ITEM_FIELD.fullmatch(self.embeddings_field):
            raise ValueError("Property 'embeddings-field' must be record.NAME when 'loop-over' is set")
        elif not _LIST_FIELD.fullmatch(self.loop_over.strip()):
            raise ValueError("Property 'loop-over' must be value.NAME or key.NAME: the list is replaced there")
        return self


@dataclass(frozen=True, slots=True)
class Job:
    """A record with the texts it needs vectors for, and how it takes them."""

    texts: Sequence[str]
    finish: Callable[[Sequence[Vector]], SimpleRecord]


class ComputeEmbeddings(AsyncProcessor):
    """One request per batch. A record that cannot be prepared, or whose text the service refuses, fails alone."""

    interruptible = True

    def __init__(self, configuration: EmbeddingsConfiguration) -> None:
        waits = configuration.flush_interval > 0
        self.batching = Batching(
            max_records=configuration.batch_size if waits else 1,
            max_wait_seconds=configuration.flush_interval / 1000,
            concurrency=max(1, configuration.concurrency),
            ordering="emission",
        )
        self._configuration = configuration
        self._template = compile_template(configuration.text, legacy=True)
        self._condition = compile_condition(configuration.when) if configuration.when is not None else None
        self._list = compile_expression(configuration.loop_over) if configuration.loop_over is not None else None
        place = (configuration.loop_over or configuration.embeddings_field).strip()
        self._store: ResultField = result_field(place)
        self._passes_deletions = configuration.pass_deletions
        self._member = configuration.embeddings_field.removeprefix("record.")
        self._client = EmbeddingsClient(configuration, _service_options(configuration))

    async def start(self, context: AgentContext) -> None:
        await self._client.start(context)

    async def close(self) -> None:
        await self._client.close()

    def info(self) -> dict[str, Any]:
        return self._client.info()

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        prepared = [self._prepared(record) for record in records]
        jobs = [job for job in prepared if isinstance(job, Job)]
        done = iter(await self._embedded(jobs))
        return [next(done) if isinstance(item, Job) else item for item in prepared]

    def _prepared(self, record: SimpleRecord) -> Job | Outcome:
        """The record's job, or its outcome where it needs no vectors."""
        try:
            working = WorkingRecord(record)
            if self._condition is not None and not self._condition(working):
                return [record]
            if self._passes_deletions and working.value is None:
                return [record]
            if self._list is None:
                return Job([self._template(working)], lambda vectors: self._stored(working, vectors[0]))
            items = self._items(self._list(working))
            if not items:
                return [record]
            texts = [self._template({"record": item}) for item in items]
        except LangStreamError as error:
            return error
        return Job(texts, lambda vectors: self._stored(working, self._with_vectors(items, vectors)))

    def _items(self, found: Any) -> Sequence[Mapping[str, Any]]:
        if found is None:
            return ()
        if not isinstance(found, list):
            raise RecordError(f"`loop-over` {self._configuration.loop_over} is not a list: {type(found).__name__} data")
        for position, item in enumerate(found):
            if not isinstance(item, dict):
                raise RecordError(f"item {position} of {self._configuration.loop_over} is not an object")
        return found

    def _with_vectors(self, items: Sequence[Mapping[str, Any]], vectors: Sequence[Vector]) -> list[dict[str, Any]]:
        return [{**item, self._member: vector} for item, vector in zip(items, vectors, strict=True)]

    def _stored(self, working: WorkingRecord, content: Any) -> SimpleRecord:
        self._store(working, content)
        return working.to_record()

    async def _embedded(self, jobs: Sequence[Job]) -> Sequence[Outcome]:
        if not jobs:
            return []
        try:
            vectors = await self._client.embed([text for job in jobs for text in job.texts])
        except ServiceError as error:
            if len(jobs) == 1 or error.category not in ("refused", "too-long", "content-filtered"):
                return [error] * len(jobs)
            # One bad text makes the service refuse the request: find out whose it is.
            alone = await asyncio.gather(*(self._embedded([job]) for job in jobs))
            return [outcomes[0] for outcomes in alone]
        outcomes: list[Outcome] = []
        start = 0
        for job in jobs:
            outcomes.append(_finished(job, vectors[start : start + len(job.texts)]))
            start += len(job.texts)
        return outcomes


def _finished(job: Job, vectors: Sequence[Vector]) -> Outcome:
    try:
        return [job.finish(vectors)]
    except LangStreamError as error:
        return error


def _service_options(configuration: EmbeddingsConfiguration) -> dict[str, Any]:
    named = {
        "options": configuration.options,
        "arguments": configuration.arguments,
        "model-url": configuration.model_url,
    }
    return {name: value for name, value in named.items() if value is not None}


def _check(configuration: EmbeddingsConfiguration, context: PlanContext) -> Iterator[Finding]:
    yield from check_ai_service(configuration.ai_service, configuration.model, "embeddings", context)
    services = [(entry.ai_service, entry.model) for entry in configuration.fallback]
    yield from check_fallback(services, configuration.model, "embeddings", context)


AGENT: Final = AgentType(
    name=NAME,
    component_type=ComponentType.PROCESSOR,
    configuration=EmbeddingsConfiguration,
    create=ComputeEmbeddings,
    summary="Computes the embeddings of a text, or of each item of a list.",
    description="""\
With a `flush-interval`, up to `batch-size` records share one request. Records with the same key leave in the order in
which they came.""",
    composable=Composable.OPTIONAL,
    check=_check,
    family="ai",
    example="""\
- type: compute-ai-embeddings
  input: chunks
  output: vectors
  configuration:
    ai-service: openai
    model: text-embedding-3-small
    text: "{{{ value.text }}}"
    embeddings-field: value.embeddings
    batch-size: 50
    flush-interval: 500
""",
)
