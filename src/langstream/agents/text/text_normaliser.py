"""`text-normaliser`: lower case, and blanks and empty lines squeezed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.text.deletions import DeletionOptions, without_text
from langstream.agents.text.normalising import normalised
from langstream.agents.text.value_text import text_of_value
from langstream.agents.text.workers import Workers, cores
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, AsyncProcessor, Batching, Outcome

INLINE_CHARACTERS = 200_000
"""Longer texts are left to another process: the event loop does not wait for them."""


class TextNormaliserConfiguration(DeletionOptions):
    """Options of `text-normaliser`."""

    make_lowercase: bool = Field(default=True, description="Turn the text into lower case.")
    trim_spaces: bool = Field(
        default=True, description="Squeeze runs of blanks, tabs and empty lines, and trim both ends."
    )


class TextNormaliser(AsyncProcessor):
    """Normalises the text of the value; the result is always text."""

    batching = Batching(max_records=100, concurrency=cores(), ordering="emission")

    def __init__(self, configuration: TextNormaliserConfiguration) -> None:
        self._options = configuration
        self._lower = configuration.make_lowercase
        self._trim = configuration.trim_spaces
        self._workers = Workers("normalise", "normalising the text", {"trim": self._trim, "lower": self._lower})

    async def start(self, context: AgentContext) -> None:
        """Get ready."""
        self._workers.counted(context.metrics)

    async def close(self) -> None:
        """Let the processes go, if there are any."""
        await self._workers.close()

    async def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """Each record with its text normalised."""
        return await asyncio.gather(*map(self._outcome, records))

    async def _outcome(self, record: SimpleRecord) -> Outcome:
        text = text_of_value(record)
        if text is None:
            return without_text(record, self._options)
        try:
            if len(text) <= INLINE_CHARACTERS:
                return [record.with_value(normalised(text, self._trim, self._lower))]
            content = await self._workers.ask(text.encode("utf-8", "surrogatepass"))
        except RecordError as error:
            return error
        return [record.with_value(content.decode("utf-8", "surrogatepass"))]


AGENT = AgentType(
    name="text-normaliser",
    component_type=ComponentType.PROCESSOR,
    configuration=TextNormaliserConfiguration,
    create=TextNormaliser,
    summary="Turns text into lower case and squeezes blanks and empty lines.",
    description="""\
Carriage returns stay. Key, headers and timestamp of the record are kept.""",
    family="text",
    example="""\
- type: text-normaliser
  input: texts
  output: plain-texts
  configuration:
    make-lowercase: true
    trim-spaces: true
""",
    example_input="""\
- value: "  Good   MORNING,\\n\\n\\n  Ada!  "
""",
    example_output="""\
- value: "good morning,\\n\\nada!"
""",
)
