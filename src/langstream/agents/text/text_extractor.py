"""`text-extractor`: the plain text of documents."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from time import monotonic
from typing import Any

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.text.deletions import DeletionOptions, without_text
from langstream.agents.text.document_kinds import DocumentKind, decoded, kind_of
from langstream.agents.text.extraction import Extractor, check_size
from langstream.agents.text.value_text import text_of_value
from langstream.agents.text.workers import SECONDS, Limits, Workers, cores
from langstream.errors import AgentFailed, RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, Outcome

INLINE_BYTES = 32_768
"""Web pages up to this size are read in a thread of this process; longer ones, and all else that is not plain text, in
another process, where a document can take long, much memory, or the parser down."""


class TextExtractorConfiguration(DeletionOptions):
    """Options of `text-extractor`."""


class TextExtractor(AsyncProcessor):
    """Extracts in other processes. A document that brings one down is one failed record."""

    batching = Batching(max_records=1, concurrency=2 * cores(), ordering="emission")

    def __init__(self, configuration: TextExtractorConfiguration, limits: Limits | None = None) -> None:
        self._options = configuration
        self._workers = Workers("extract", "reading the document", limits=limits or Limits())

    async def start(self, context: AgentContext) -> None:
        """See that the libraries are there; the processes load them when there is a document for them."""
        await asyncio.to_thread(_find_libraries)
        self._workers.counted(context.metrics)

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """Each record with the text of its document."""
        return [await self._outcome(record) for record in records]

    async def close(self) -> None:
        """Let the processes go."""
        await self._workers.close()

    async def _outcome(self, record: SimpleRecord) -> Outcome:
        value = record.value()
        if value is None:
            return without_text(record, self._options)
        try:
            return [record.with_value(await self._text(record, value))]
        except RecordError as error:
            return error

    async def _text(self, record: SimpleRecord, value: Any) -> str:
        text = None if isinstance(value, bytes) else text_of_value(record)
        data = value if isinstance(value, bytes) else (text or "").encode("utf-8", "surrogatepass")
        check_size(data)
        kind = kind_of(data)
        if kind is DocumentKind.TEXT:
            return decoded(data) if text is None else text
        if kind is DocumentKind.HTML and len(data) <= INLINE_BYTES:
            return await asyncio.to_thread(_inline, data)
        return (await self._workers.ask(data)).decode()


def _inline(data: bytes) -> str:
    return Extractor(monotonic() + SECONDS).text_of(data)


def _find_libraries() -> None:
    for name in ("kreuzberg", "pypdfium2", "selectolax"):
        if importlib.util.find_spec(name) is None:
            raise AgentFailed(
                f"text-extractor needs the package '{name}'. Install it with: pip install 'langstream[text]'"
            )


AGENT = AgentType(
    name="text-extractor",
    component_type=ComponentType.PROCESSOR,
    configuration=TextExtractorConfiguration,
    create=TextExtractor,
    summary="Extracts the plain text of documents: PDF, Office, OpenDocument, HTML, mail, e-books, archives.",
    description="""\
The kind of document is told from its content. Plain text passes as it is; images, sound and video give an empty text.
Damaged, encrypted and outrageously large documents are failures of their record: what is not plain text is read by
another process, within limits of time and memory. Works offline, without OCR.""",
    family="text",
    example="""\
- type: text-extractor
  input: documents
  output: texts
""",
    example_input="""\
- value: "<html><body><h1>Topics</h1><p>A topic keeps records.</p></body></html>"
""",
    example_output="""\
- value: "Topics\\n\\nA topic keeps records."
""",
)
