"""`langserve-invoke`: gives fields of each record to a LangServe chain and stores what it answers."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from langstream.agents.ai.chunks import ChunkStream, NoPublisher, Publisher, cancellable
from langstream.agents.ai.options import FieldName
from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.transform.results import json_member
from langstream.agents.web.client import LONGEST_ANSWER, WebClient
from langstream.agents.web.failures import malformed, refused, too_long
from langstream.agents.web.langserve_answers import AnswerReader, no_stream
from langstream.agents.web.options import Method, WebConfiguration
from langstream.agents.web.request import Request, RequestTemplate
from langstream.agents.web.storing import check_storable
from langstream.agents.working_record import WorkingRecord, result_field
from langstream.configuration.model import Configuration, Expression, Text, TopicName
from langstream.errors import AgentFailed, LangStreamError, RecordError
from langstream.expressions import compile_expression
from langstream.records import SimpleRecord, dump_json
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, Outcome
from langstream.services.ai.contract import Chunk
from langstream.services.ai.failures import place
from langstream.services.ai.sse import Event, EventParser

if TYPE_CHECKING:
    import aiohttp

LOG = logging.getLogger(__name__)

LONGEST_LOGGED: Final = 4_000
"""Characters of an input or an answer in the log."""

_STREAM: Final = "/stream"


class InputField(Configuration):
    """One member of the chain's input."""

    name: Text = Field(description="The member's name, taken literally.")
    expression: Expression = Field(description="What is computed. Dates are sent as epoch milliseconds.")


class LangServeConfiguration(WebConfiguration):
    """Options of `langserve-invoke`."""

    method: Method = Field("POST", description="The verb of the request.")
    fields: list[InputField] = Field([], description="The members of the chain's `input`.")
    content_field: Text = Field(
        "content", min_length=1, description="The member that has the text, where the chain answers with an object."
    )
    stream_to_topic: TopicName | None = Field(
        None, description="The topic that gets the pieces of the answer as they come. For `/stream` only."
    )
    stream_response_field: FieldName | None = Field(
        None, description="Where the text goes in the records of `stream-to-topic`; as `output-field` if absent."
    )
    min_chunks_per_message: int = Field(
        20, ge=1, description="Pieces per record of `stream-to-topic` grow 1, 2, 4 … up to this many."
    )
    debug: bool = Field(False, description="Log the input and the answer of each record.")

    @field_validator("url")
    @classmethod
    def _names_an_operation(cls, url: str) -> str:
        if not urlsplit(url).path.endswith(("/invoke", _STREAM)):
            raise ValueError("it must end with /invoke (the whole answer at once) or /stream (in pieces)")
        return url


class LangServeInvoke(AsyncProcessor):
    """Asks the chain about each record."""

    interruptible = True

    def __init__(self, configuration: LangServeConfiguration) -> None:
        self.batching = Batching(max_records=1, concurrency=configuration.concurrency, ordering="serial")
        self._configuration = configuration
        self._streams = urlsplit(configuration.url).path.endswith(_STREAM)
        self._store = result_field(configuration.output_field)
        self._store_piece = result_field(configuration.stream_response_field or configuration.output_field)
        self._fields = [(field.name, compile_expression(field.expression)) for field in configuration.fields]
        self._reader = AnswerReader(configuration.url, configuration.content_field)
        self._client = WebClient(configuration)
        self._template = RequestTemplate(configuration.method, configuration.url, _headers(configuration.headers))
        self._chunks: ChunkStream | None = None

    async def start(self, context: AgentContext) -> None:
        topic = self._configuration.stream_to_topic
        if topic and not self._streams:
            LOG.warning(
                "Agent %s: nothing is written to %r, because only chains called by /stream answer in pieces",
                context.agent_id,
                topic,
            )
        elif topic:
            if context.topics is None:
                raise AgentFailed(f"there is no broker to write to `stream-to-topic` {topic}")
            most = self._configuration.min_chunks_per_message
            self._chunks = ChunkStream(context.topics, topic, self._store_piece, most)
        await self._client.start()

    async def close(self) -> None:
        await self._client.close()

    def info(self) -> dict[str, Any]:
        return {"url": place(self._configuration.url)}

    def is_told(self, record: SimpleRecord) -> bool:
        return self._chunks is not None and id(record) in self._chunks.told

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        return [await self._outcome(record) for record in records]

    async def _outcome(self, record: SimpleRecord) -> Outcome:
        try:
            check_storable(self._store, record)
            if self._chunks is not None:
                check_storable(self._store_piece, record)
            working = WorkingRecord(record)
            request = self._template.render(working, self._input(working))
            self._log("was asked", (request.body or b"").decode())
            answer = await (self._listen(request, record) if self._streams else self._invoke(request))
            self._log("answered", answer)
            self._store(working, answer)
        except LangStreamError as error:
            return error
        finally:
            if self._chunks is not None:
                self._chunks.told.discard(id(record))
        return [working.to_record()]

    def _input(self, working: WorkingRecord) -> bytes:
        members = {}
        for name, evaluate in self._fields:
            try:
                members[name] = json_member(evaluate(working))
            except RecordError as error:
                raise RecordError(f"{name}: {error}") from error
        try:
            return dump_json({"input": members})
        except TypeError as error:
            raise RecordError(f"the input cannot be written as JSON: {error}") from error

    async def _invoke(self, request: Request) -> str:
        answer = await self._client.fetch(request)
        _check_answered(request.url, answer.status)
        return self._reader.whole(answer.text)

    async def _listen(self, request: Request, record: SimpleRecord) -> str:
        """The whole answer, of which the pieces are published as they come."""
        publisher: Publisher = self._chunks.publisher(record) if self._chunks is not None else NoPublisher()
        texts: list[str] = []
        async with (
            cancellable(publisher),
            self._client.open(request) as response,
            aclosing(self._pieces(request.url, response)) as pieces,
        ):
            async for text in pieces:
                texts.append(text)
                await publisher.add(Chunk(text))
        await publisher.finish()
        return "".join(texts)

    async def _pieces(self, url: str, response: aiohttp.ClientResponse) -> AsyncGenerator[str, None]:
        """The texts of the answer that are not empty, until the chain says `end` or the stream is over."""
        _check_answered(url, response.status)
        if response.content_type == "application/json":  # a server that does not stream
            yield self._reader.whole(await self._client.text(response))
            return
        seen = False
        async with aclosing(_events(url, response)) as events:
            async for event in events:
                seen = True
                if event.name == "end":
                    return
                if text := self._reader.piece(event):
                    yield text
        if not seen:
            raise no_stream(url)

    def _log(self, what: str, text: str) -> None:
        if self._configuration.debug:
            LOG.info("%s %s: %s", place(self._configuration.url), what, text[:LONGEST_LOGGED])


def _check_answered(url: str, status: int) -> None:
    """Refuse a redirect that was not followed: it is not what the chain says."""
    if status >= 300:
        raise refused(url, status, {}, "a redirect, which is not followed")


async def _events(url: str, response: aiohttp.ClientResponse) -> AsyncGenerator[Event, None]:
    parser = EventParser(bare_names=True)
    size = 0
    try:
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > LONGEST_ANSWER:
                raise too_long(url, LONGEST_ANSWER)
            for event in parser.feed(piece):
                yield event
    except ValueError as error:
        raise malformed(url, str(error)) from None
    for event in parser.finish():
        yield event


def _headers(given: dict[str, str]) -> dict[str, str]:
    """The headers of every request: what is sent is JSON, unless the application knows better."""
    named = {name.lower() for name in given}
    return given if "content-type" in named else {"Content-Type": "application/json", **given}


AGENT: Final = AgentType(
    name="langserve-invoke",
    component_type=ComponentType.PROCESSOR,
    configuration=LangServeConfiguration,
    create=LangServeInvoke,
    summary="Asks a LangServe chain about each record and stores the answer.",
    description="""\
The values of `fields` are the chain's `input`. With an address that ends with `/invoke` the answer comes at once; with
`/stream` in pieces, which go to `stream-to-topic` as they come, with the headers `stream-id`, `stream-index` and
`stream-last-message`. The whole answer, as text, goes to `output-field`. An answer that is an object has its text in
`content-field`. A status from 400 on, and an error reported in the stream, is an error of the record.""",
    family="web",
    example="""\
- type: langserve-invoke
  input: questions
  output: answers
  configuration:
    url: http://localhost:8000/chain/stream
    output-field: value.answer
    stream-to-topic: chunks
    stream-response-field: value
    min-chunks-per-message: 10
    fields:
      - { name: topic, expression: value.question }
""",
)
