"""`text-extractor`: the plain text of documents."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from time import monotonic

from langstream.agents.custom.threads import AgentThread, CodeFailed
from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.text.document_kinds import DocumentKind, kind_of
from langstream.agents.text.extraction import Extractor
from langstream.agents.text.value_text import text_of_value
from langstream.configuration.model import Configuration
from langstream.errors import AgentFailed, RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, NotAttempted, Outcome

DOCUMENT_SECONDS = 120.0
"""How long one document may take."""
GRACE_SECONDS = 5.0
"""How much longer the thread is waited for: it cannot be stopped inside a library."""
BATCH_SECONDS = 0.25
"""No further document of a batch is begun after this time."""
MAX_ABANDONED = 4
"""So many threads may hang in hostile documents before the agent gives up."""


class TextExtractorConfiguration(Configuration):
    """`text-extractor` has no options."""


class TextExtractor(AsyncProcessor):
    """Extracts in threads of its own. A document that hangs costs a thread, not the agent."""

    batching = Batching(max_records=16, concurrency=2, ordering="emission")

    def __init__(self, configuration: TextExtractorConfiguration) -> None:
        self._idle: list[AgentThread] = []
        self._abandoned = 0

    async def start(self, context: AgentContext) -> None:
        """Load the libraries."""
        await asyncio.to_thread(_load_libraries)

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """Each record with the text of its document."""
        outcomes: list[Outcome] = []
        thread = self._idle.pop() if self._idle else AgentThread("text-extractor")
        work = thread.submit(_extract_all, records, outcomes)
        limit = DOCUMENT_SECONDS + BATCH_SECONDS + GRACE_SECONDS
        try:
            await asyncio.wait_for(work, limit)
        except TimeoutError:
            return self._abandon(records, outcomes)
        except CodeFailed as failure:
            raise AgentFailed(f"text-extractor broke: {failure.error}") from failure.error
        except asyncio.CancelledError:
            thread.stop()
            raise
        self._idle.append(thread)
        return [*outcomes, *(NotAttempted() for _ in records[len(outcomes) :])]

    async def close(self) -> None:
        """Let the threads go."""
        while self._idle:
            self._idle.pop().stop()

    def _abandon(self, records: Sequence[SimpleRecord], outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        self._abandoned += 1
        if self._abandoned > MAX_ABANDONED:
            raise AgentFailed(f"{self._abandoned} documents hang in text extraction: the agent must be started anew")
        finished = list(outcomes)
        error = RecordError(f"reading the document takes longer than {DOCUMENT_SECONDS:g} s")
        rest = records[len(finished) + 1 :]
        return [*finished, error, *(NotAttempted() for _ in rest)]


def _extract_all(records: Sequence[SimpleRecord], outcomes: list[Outcome]) -> None:
    """Fill in the outcomes, as far as time allows; the first record is always attempted."""
    enough = monotonic() + BATCH_SECONDS
    for record in records:
        outcomes.append(_outcome(record))
        if monotonic() > enough:
            return


def _outcome(record: SimpleRecord) -> Outcome:
    try:
        return [record.with_value(extract(record))]
    except RecordError as error:
        return error
    except Exception as error:  # libraries meet hostile documents here
        return RecordError(f"the document cannot be read: {type(error).__name__}: {error}")


def extract(record: SimpleRecord) -> str:
    """The text of the record's document. Raises RecordError."""
    value = record.value()
    if isinstance(value, bytes):
        return Extractor(monotonic() + DOCUMENT_SECONDS).text_of(value)
    text = text_of_value(record)
    data = text.encode("utf-8", "surrogatepass")
    return text if kind_of(data) is DocumentKind.TEXT else Extractor(monotonic() + DOCUMENT_SECONDS).text_of(data)


def _load_libraries() -> None:
    for name in ("kreuzberg", "pypdfium2", "selectolax.lexbor"):
        try:
            importlib.import_module(name)
        except ImportError:
            raise AgentFailed(
                f"text-extractor needs the package '{name.partition('.')[0]}'. "
                "Install it with: pip install 'langstream[text]'"
            ) from None


AGENT = AgentType(
    name="text-extractor",
    component_type=ComponentType.PROCESSOR,
    configuration=TextExtractorConfiguration,
    create=TextExtractor,
    summary="Extracts the plain text of documents: PDF, Office, OpenDocument, HTML, mail, e-books, archives.",
    description="""\
The kind of document is told from its content. Plain text passes as it is; images, sound and video give an empty text.
Damaged, encrypted and outrageously large documents are failures of their record. Works offline, without OCR.""",
    family="text",
    example="""\
- type: text-extractor
  input: documents
  output: texts
""",
)
