"""`text-normaliser`: lower case, and blanks and empty lines squeezed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.text.value_text import text_of_value
from langstream.configuration.model import Configuration
from langstream.errors import RecordError
from langstream.records import SimpleRecord
from langstream.sdk.contract import Outcome, Processor

SQUEEZES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\t+", " "),
        (r" +", " "),
        (r"\n\n\n", "\n\n"),
        (r"(?: \n\n)+", " \n\n"),
        (r"(?: \n)+", "\n"),
        (r"\n ", "\n"),
    )
)
"""Applied in this order, each in one pass: four newlines become three, as they always did."""

ASCII_BLANKS = "".join(map(chr, range(33)))
"""What is trimmed at both ends: everything up to the blank, but no other Unicode spaces."""


class TextNormaliserConfiguration(Configuration):
    """Options of `text-normaliser`."""

    make_lowercase: bool = Field(default=True, description="Turn the text into lower case.")
    trim_spaces: bool = Field(
        default=True, description="Squeeze runs of blanks, tabs and empty lines, and trim both ends."
    )


class TextNormaliser(Processor):
    """Normalises the text of the value; the result is always text."""

    def __init__(self, configuration: TextNormaliserConfiguration) -> None:
        self._lower = configuration.make_lowercase
        self._trim = configuration.trim_spaces

    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """Each record with its text normalised."""
        return [self._outcome(record) for record in records]

    def _outcome(self, record: SimpleRecord) -> Outcome:
        try:
            text = text_of_value(record)
        except RecordError as error:
            return error
        if self._trim:
            text = squeezed(text)
        return [record.with_value(text.lower() if self._lower else text)]


def squeezed(text: str) -> str:
    """The text with its blanks, tabs and newlines squeezed and both ends trimmed."""
    for pattern, replacement in SQUEEZES:
        text = pattern.sub(replacement, text)
    return text.strip(ASCII_BLANKS)


AGENT = AgentType(
    name="text-normaliser",
    component_type=ComponentType.PROCESSOR,
    configuration=TextNormaliserConfiguration,
    create=TextNormaliser,
    summary="Turns text into lower case and squeezes blanks and empty lines.",
    description="Carriage returns stay. Key, headers and timestamp of the record are kept.",
    family="text",
    example="""\
- type: text-normaliser
  configuration:
    make-lowercase: true
    trim-spaces: true
""",
)
