"""`http-request`: asks an HTTP service about each record and stores the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.web.client import WebClient
from langstream.agents.web.options import Method, WebConfiguration
from langstream.agents.web.request import RequestTemplate
from langstream.agents.web.storing import check_storable
from langstream.agents.working_record import WorkingRecord, result_field
from langstream.configuration.model import Template
from langstream.errors import LangStreamError
from langstream.records import Document, SimpleRecord, parse_document
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, Outcome
from langstream.services.ai.failures import place

_SAFE: Final = ("GET", "HEAD", "OPTIONS", "TRACE")
"""Methods that change nothing at the service, so that requests of one key may overtake each other."""


class HttpRequestConfiguration(WebConfiguration):
    """Options of `http-request`."""

    method: Method = Field("GET", description="The verb of the request.")
    query_string: dict[str, Template] = Field(
        {}, description="Parameters added to the address. The values are templates; `{{{ }}}` keeps them as they are."
    )
    body: Template | None = Field(
        None, description="The body of the request, a template. Say what it is by the header `Content-Type`."
    )


class HttpRequest(AsyncProcessor):
    """One request per record."""

    def __init__(self, configuration: HttpRequestConfiguration) -> None:
        self._url = configuration.url
        self._store = result_field(configuration.output_field)
        self._client = WebClient(configuration)
        self._template = RequestTemplate(
            configuration.method,
            configuration.url,
            configuration.headers,
            configuration.query_string,
            configuration.body,
        )
        self.interruptible = configuration.method in _SAFE
        ordering: Any = "emission" if configuration.method in _SAFE else "serial"
        self.batching = Batching(max_records=1, concurrency=configuration.concurrency, ordering=ordering)

    async def start(self, context: AgentContext) -> None:
        await self._client.start()

    async def close(self) -> None:
        await self._client.close()

    def info(self) -> dict[str, Any]:
        return {"url": place(self._url)}

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        return [await self._outcome(record) for record in records]

    async def _outcome(self, record: SimpleRecord) -> Outcome:
        try:
            check_storable(self._store, record)
            working = WorkingRecord(record)
            answer = await self._client.fetch(self._template.render(working))
            self._store(working, content_of(answer.text))
        except LangStreamError as error:
            return error
        return [working.to_record()]


def content_of(text: str) -> Any:
    """What is stored of an answer: a JSON object as such, JSON null as null, all else (lists too) as its text."""
    parsed = parse_document(text)
    if isinstance(parsed, Document):
        return parsed.content
    return None if text.strip() == "null" else text


AGENT: Final = AgentType(
    name="http-request",
    component_type=ComponentType.PROCESSOR,
    configuration=HttpRequestConfiguration,
    create=HttpRequest,
    summary="Sends an HTTP request for each record and stores the answer.",
    description="""\
Query parameters, headers and the body are templates over the record; the query is encoded after it is filled in. An
answer that is a JSON object is stored as one, anything else as text: `fn:fromJson` of `compute` makes a list of it. A
status from 400 on is an error of the record, retried as `retries` says where the status lets hope. Requests that may
change something (all but GET, HEAD, OPTIONS and TRACE) are sent one after the other for records with the same key.""",
    family="web",
    example="""\
- type: http-request
  input: cities
  output: places
  configuration:
    url: https://geo.example.com/v1/search
    headers:
      Authorization: "Bearer ${secrets.geo.token}"
    query-string:
      name: "{{{ value.city }}}"
      count: "1"
    output-field: value.geo
""",
)
