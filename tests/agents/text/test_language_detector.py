"""language-detector names languages, replaces the header, and drops what is not allowed."""

from __future__ import annotations

from typing import Any

import pytest

from langstream.agents.text.language_detector import LanguageDetector, LanguageDetectorConfiguration
from langstream.configuration.validation import check
from langstream.records import SimpleRecord
from langstream.sdk.contract import AgentContext


async def detector(**options: Any) -> LanguageDetector:
    """A started detector."""
    model, problems = check(LanguageDetectorConfiguration, options, subject="agent")
    assert model is not None, problems
    agent = LanguageDetector(model)
    await agent.start(AgentContext("a", "app"))
    return agent


ENGLISH = "Records flow through the pipeline and are enriched on the way"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (ENGLISH, "en"),
        (ENGLISH.upper(), "en"),
        (ENGLISH.encode(), "en"),
        ("Il gatto dorme sul divano\ntutto il giorno", "it"),
        ("Heute scheint die Sonne und wir gehen spazieren", "de"),
        ("Le chat dort sur le canapé toute la journée", "fr"),
        ("Сегодня хорошая погода и мы гуляем", "ru"),
        ("今日は天気がいいです", "ja"),
        ("good morning", "en"),
        ("Das ist ein Test", "de"),
        ("", "unknown"),
        (" \n ", "unknown"),
        ("12345", "unknown"),
        ("1 2 3 %%", "unknown"),
        ("x", "unknown"),
        (ENGLISH * 1000, "en"),
    ],
)
async def test_languages(text: Any, language: str) -> None:
    agent = await detector()
    assert agent.process_batch([SimpleRecord(text, "k")]) == [[SimpleRecord(text, "k", [("language", language)])]]


async def test_an_existing_header_is_replaced() -> None:
    agent = await detector(property="l")
    [outcome] = agent.process_batch([SimpleRecord(ENGLISH, headers=[("l", "old"), ("h", 1), ("l", "older")])])
    assert not isinstance(outcome, Exception)
    assert outcome[0].headers() == [("h", 1), ("l", "en")]


async def test_other_languages_are_dropped() -> None:
    agent = await detector(allowedLanguages=["fr", "de"])
    english, german = agent.process_batch([SimpleRecord(ENGLISH), SimpleRecord("Heute scheint die Sonne auf uns")])
    assert english == []
    assert len(german) == 1  # type: ignore[arg-type]


async def test_an_empty_list_of_languages_lets_all_pass() -> None:
    agent = await detector(allowedLanguages=[])
    assert len(agent.process_batch([SimpleRecord(ENGLISH)])[0]) == 1  # type: ignore[arg-type]


def test_wrong_options_are_refused() -> None:
    _, problems = check(LanguageDetectorConfiguration, {"allowed-languages": ["en"]}, subject="agent")
    assert "Did you mean 'allowedLanguages'?" in str(problems[0])
