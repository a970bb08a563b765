"""`text-splitter`: one record per chunk of a long text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal

import regex
from pydantic import AfterValidator, Field, field_validator, model_validator

from langstream.agents.declaration import AgentType, ComponentType, Finding, PlanContext
from langstream.agents.text.deletions import DeletionOptions, without_text
from langstream.agents.text.splitting import Chunk, Splitter, splitter_of, unpacked
from langstream.agents.text.token_counts import BUNDLED, LengthFunction, available, utf16_length
from langstream.agents.text.value_text import replaced_headers, text_of_value
from langstream.agents.text.workers import Workers, cores
from langstream.configuration.model import Text
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, Outcome

INLINE_CHARACTERS = 20_000
"""Batches with less text than this are split on the event loop: about a millisecond, less than a hop is worth."""
THREAD_CHARACTERS = 200_000
"""Longer texts are split by another process: it does not share the interpreter with the event loop."""
MAX_CHARACTERS = 64_000_000
"""Longer texts are refused."""
CHUNKS_AT_ONCE = 500
"""After so many chunks of a long text the event loop may do something else."""
_HEADERS = ("chunk_id", "chunk_text_length", "chunk_num_tokens", "text_num_chunks")
_OPTIONS = ("separators", "chunk_size", "chunk_overlap", "keep_separator", "length_function")


def _compiles(pattern: str) -> str:
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f"the separator {pattern!r} is not a valid regular expression: {error}") from None
    return pattern


class TextSplitterConfiguration(DeletionOptions):
    """Options of `text-splitter`."""

    splitter_type: Literal["RecursiveCharacterTextSplitter"] = Field(
        default="RecursiveCharacterTextSplitter", alias="splitter_type", description="The way of splitting."
    )
    separators: tuple[Annotated[Text, AfterValidator(_compiles)], ...] = Field(
        default=("\n\n", "\n", " ", ""),
        alias="separators",
        description="Regular expressions, tried in order; the empty one cuts anywhere.",
    )
    keep_separator: bool = Field(
        default=False, alias="keep_separator", description="Whether every piece begins with its separator."
    )
    chunk_size: int = Field(
        default=200, alias="chunk_size", ge=0, description="Greatest length of a chunk, as `length_function` counts."
    )
    chunk_overlap: int = Field(
        default=100,
        alias="chunk_overlap",
        ge=0,
        description="Greatest length that two consecutive chunks share, as `length_function` counts.",
    )
    length_function: LengthFunction = Field(
        default="cl100k_base",
        alias="length_function",
        description="What lengths are counted in: tokens of the named vocabulary, or characters (`length`).",
    )

    @field_validator("separators")
    @classmethod
    def _one_at_least(cls, separators: tuple[str, ...]) -> tuple[str, ...]:
        if not separators:
            raise ValueError("there must be one separator at least; the empty text cuts anywhere")
        return separators

    @model_validator(mode="after")
    def _overlap_fits(self) -> TextSplitterConfiguration:
        if self.chunk_overlap > self.chunk_size:
            given = "" if "chunk_overlap" in self.model_fields_set else ", the default"
            raise ValueError(
                f"chunk_overlap ({self.chunk_overlap}{given}) is greater than chunk_size ({self.chunk_size}). "
                "Lower chunk_overlap as well."
            )
        return self


class TextSplitter(AsyncProcessor):
    """Splits the text of the value. Every chunk keeps the record's key and headers and gets four more."""

    batching = Batching(max_records=100, concurrency=cores(), ordering="emission")

    def __init__(self, configuration: TextSplitterConfiguration) -> None:
        self._configuration = configuration
        self._options = {name: getattr(configuration, name) for name in _OPTIONS}
        self._splitter: Splitter | None = None
        self._workers = Workers("split", "splitting the text", self._options)

    async def start(self, context: AgentContext) -> None:
        """Load the vocabulary."""
        self._splitter = await asyncio.to_thread(lambda: splitter_of(**self._options))
        self._workers.counted(context.metrics)

    async def close(self) -> None:
        """Let the processes go, if there are any."""
        await self._workers.close()

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """The chunks of every record, in order; blank text has none."""
        texts = [text_of_value(record) for record in records]
        short = {i: text for i, text in enumerate(texts) if text is not None and len(text) <= THREAD_CHARACTERS}
        long = {i: text for i, text in enumerate(texts) if text is not None and i not in short}
        assert self._splitter is not None
        if self._splitter.plain and sum(map(len, short.values())) <= INLINE_CHARACTERS:
            found = self._split_all(short.values())
        else:
            found = await asyncio.to_thread(self._split_all, short.values())
        outcomes = {i: _outcome(records[i], chunks) for i, chunks in zip(short, found, strict=True)}
        if long:
            elsewhere = (self._split_elsewhere(records[i], text) for i, text in long.items())
            outcomes.update(zip(long, await asyncio.gather(*elsewhere), strict=True))
        return [
            without_text(record, self._configuration) if texts[i] is None else outcomes[i]
            for i, record in enumerate(records)
        ]

    def _split_all(self, texts: Iterable[str]) -> list[list[Chunk] | RecordError]:
        assert self._splitter is not None
        found: list[list[Chunk] | RecordError] = []
        for text in texts:
            try:
                found.append(self._splitter.split(text))
            except RecordError as error:
                found.append(error)
        return found

    async def _split_elsewhere(self, record: SimpleRecord, text: str) -> Outcome:
        """Long texts are cut by another process, on another core; their many records are made with pauses."""
        if len(text) > MAX_CHARACTERS:
            return RecordError(f"the text has {len(text):,} characters: at most {MAX_CHARACTERS:,} are split")
        try:
            content = await self._workers.ask(text.encode("utf-8", "surrogatepass"))
        except RecordError as error:
            return error
        made: list[SimpleRecord] = []
        for chunk in _records(record, *unpacked(content)):
            made.append(chunk)
            if len(made) % CHUNKS_AT_ONCE == 0:
                await asyncio.sleep(0)
        return made


def _outcome(record: SimpleRecord, chunks: list[Chunk] | RecordError) -> Outcome:
    return chunks if isinstance(chunks, RecordError) else list(_records(record, len(chunks), chunks))


def _records(record: SimpleRecord, count: int, chunks: Iterable[Chunk]) -> Iterator[SimpleRecord]:
    """One record per chunk."""
    kept = replaced_headers(record, [(name, None) for name in _HEADERS])[: -len(_HEADERS)]
    for index, chunk in enumerate(chunks):
        own = (str(index), str(utf16_length(chunk.text)), str(chunk.length), str(count))
        yield record.with_value(chunk.text).with_headers((*kept, *zip(_HEADERS, own, strict=True)))


def _check(configuration: TextSplitterConfiguration, context: PlanContext) -> Iterable[Finding]:
    name = configuration.length_function
    if not available(name):
        yield Finding(
            f"the length function '{name}' needs the package 'tiktoken', which is not installed.",
            ("length_function",),
            f"Install it, or use one of {', '.join(BUNDLED)}.",
        )


AGENT = AgentType(
    name="text-splitter",
    component_type=ComponentType.PROCESSOR,
    configuration=TextSplitterConfiguration,
    create=TextSplitter,
    summary="Splits text into chunks of a given size, one record per chunk.",
    description="""\
Cuts at the first separator that occurs in the text and goes on with the finer ones where a piece is too long. Every
chunk has the headers `chunk_id`, `chunk_text_length`, `chunk_num_tokens` and `text_num_chunks`; headers of these names
that the record had are replaced. Blank text gives no chunk. Counting tokens works offline.""",
    check=_check,
    family="text",
    example="""\
- type: text-splitter
  input: texts
  output: chunks
  configuration:
    chunk_size: 12      # small, to show what happens; the default is 200
    chunk_overlap: 4
    length_function: cl100k_base
    separators: ["\\n\\n", "\\n", " ", ""]
    keep_separator: false
""",
    example_input="""\
- key: a.txt
  value: A topic keeps records. An agent reads them and writes to another topic.
""",
    example_output="""\
- key: a.txt
  value: A topic keeps records. An
  headers: { chunk_id: "0", chunk_text_length: "25", chunk_num_tokens: "6", text_num_chunks: "3" }
- key: a.txt
  value: records. An agent reads them and
  headers: { chunk_id: "1", chunk_text_length: "32", chunk_num_tokens: "7", text_num_chunks: "3" }
- key: a.txt
  value: them and writes to another topic.
  headers: { chunk_id: "2", chunk_text_length: "33", chunk_num_tokens: "7", text_num_chunks: "3" }
""",
)
