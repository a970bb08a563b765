"""The extractive answerer quotes what answers the question, word for word, and owns up to being no language model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.errors import ServiceError
from langstream.services.ai.contract import Chunk, CompletionOptions, Message
from langstream.services.ai.local import PROVIDER
from langstream.services.ai.local import answerer as words_of
from langstream.services.ai.local.answerer import tokens
from langstream.services.ai.local.configuration import LocalConfiguration
from langstream.services.ai.local.engine import Engines
from langstream.services.ai.local.ranking import bm25, ranked, words
from langstream.services.ai.local.service import LocalService

DOCUMENTS = """\
You are a helpful assistant. Answer from the documents below.

Documents:
[returns.pdf] Customers may return goods within 30 days. The goods must be unused. Refunds take five working days.
[shipping.md] We ship to all of Europe. Parcels take three to five days. Express delivery costs 12 euros.
[about.html] The company was founded in 1987 by Ada Jansen. It employs 340 people. Its mascot is a heron."""


@pytest.fixture
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalService]:
    cache = tmp_path_factory.getbasetemp() / "local-ai"
    service = LocalService(
        LocalConfiguration.model_validate({"threads": 1, "quotes": 2, "cache-directory": cache}), Engines()
    )
    await service.start()
    yield service
    await service.close()


async def chunks(service: LocalService, question: str, system: str = DOCUMENTS, *, stream: bool = True) -> list[Chunk]:
    messages = [Message(system, "system"), Message(question, "user")]
    answer = service.chat("extractive-quotes", messages, CompletionOptions(), stream=stream)
    return [chunk async for chunk in answer]


async def ask(service: LocalService, question: str, system: str = DOCUMENTS) -> str:
    return "".join(chunk.text for chunk in await chunks(service, question, system))


@pytest.mark.parametrize(
    ("question", "first_quote"),
    [
        ("What does express shipping cost?", "“Express delivery costs 12 euros.” [shipping.md]"),
        (
            "Who started the company?",
            "“The company was founded in 1987 by Ada Jansen. It employs 340 people.” [about.html]",
        ),
        ("When may customers return goods?", "“Customers may return goods within 30 days. The goods must be unused.”"),
    ],
)
async def test_the_best_passage_is_quoted_first_with_its_source(
    service: LocalService, question: str, first_quote: str
) -> None:
    introduction, first, *_ = (await ask(service, question)).split("\n\n")
    assert introduction == "Quoted from the documents (no language model is running):"
    assert first.startswith(first_quote)


async def test_quotes_are_limited_and_verbatim(service: LocalService) -> None:
    _, *quotes = (await ask(service, "How many days do parcels, returns and refunds take?")).split("\n\n")
    assert 1 <= len(quotes) <= 2
    for quote in quotes:
        text, _, source = quote.partition("” ")
        assert text.removeprefix("“") in DOCUMENTS
        assert source in ("[returns.pdf]", "[shipping.md]", "[about.html]")


async def test_a_prompt_of_any_length_is_searched_to_its_end(service: LocalService) -> None:
    filler = "\n".join(f"[{number}.txt] The heron number {number} stands in the lake." for number in range(900))
    answer = await ask(service, "What does express shipping cost?", f"{filler}\n{DOCUMENTS.split(':', 1)[1]}")
    assert "“Express delivery costs 12 euros.” [shipping.md]" in answer


@pytest.mark.parametrize("question", ["What is the capital of Mongolia?", "hello"])
async def test_where_nothing_is_close_it_says_so(service: LocalService, question: str) -> None:
    assert await ask(service, question) == words_of.NOTHING_CLOSE


async def test_without_documents_it_says_so(service: LocalService) -> None:
    assert await ask(service, "Why is the sky blue?", "") == words_of.NO_DOCUMENTS


async def test_without_a_question_it_says_so(service: LocalService) -> None:
    assert await ask(service, "  ") == words_of.NO_QUESTION


@pytest.mark.parametrize("name", ["QUOTED", "NOTHING_CLOSE", "NO_DOCUMENTS", "NO_QUESTION"])
def test_every_answer_tells_that_there_is_no_language_model(name: str) -> None:
    assert "no language model is running" in getattr(words_of, name).lower()


async def test_answers_are_streamed_word_by_word_under_one_local_id(service: LocalService) -> None:
    streamed = await chunks(service, "What does express shipping cost?")
    (whole,) = await chunks(service, "What does express shipping cost?", stream=False)
    assert "".join(chunk.text for chunk in streamed) == whole.text
    assert len(streamed) == len(whole.text.split())
    assert [chunk.last for chunk in streamed] == [False] * (len(streamed) - 1) + [True]
    assert len({chunk.answer_id for chunk in streamed}) == 1
    assert streamed[0].answer_id.startswith("local-")
    assert whole.last


async def test_prompts_of_text_completions_are_answered_too(service: LocalService) -> None:
    prompts = [DOCUMENTS, "Question: What does express shipping cost?\nAnswer:"]
    answer = service.complete("extractive-quotes", prompts, CompletionOptions(), stream=True)
    assert "12 euros" in "".join([chunk.text async for chunk in answer])


async def test_embeddings_are_plain_numbers_with_their_usage(service: LocalService) -> None:
    found = await service.embed("all-MiniLM-L6-v2", ["a bird", "the bird"], {})
    assert [len(vector) for vector in found.vectors] == [384, 384]
    assert all(isinstance(number, float) for vector in found.vectors for number in vector)
    assert found.usage is not None
    assert found.usage.prompt_tokens == 8


@pytest.mark.parametrize("model", ["gpt-4o", "all-MiniLM-L6-v2"])
async def test_models_it_does_not_have_are_refused(service: LocalService, model: str) -> None:
    answer = service.chat(model, [Message("x")], CompletionOptions(), stream=True)
    with pytest.raises(ServiceError, match=f"no model '{model}' for this, only extractive-quotes"):
        await anext(answer)
    with pytest.raises(ServiceError, match="no model 'ada' for this, only all-MiniLM-L6-v2"):
        await service.embed("ada", ["x"], {})


async def test_a_service_that_is_not_started_says_so() -> None:
    service = LocalService(LocalConfiguration(), Engines())
    with pytest.raises(ServiceError, match="not started"):
        await service.embed("all-MiniLM-L6-v2", ["x"], {})


def test_the_provider_is_named_for_what_it_is() -> None:
    assert PROVIDER.resource_type == "local-ai-configuration"
    assert "No language model" in PROVIDER.summary
    assert PROVIDER.completion_models == ("extractive-quotes",)


class CountingEngine:
    def __init__(self, threads: int, cache: Any) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_services_with_the_same_options_share_an_engine() -> None:
    engines = Engines(CountingEngine)
    first, second, other = engines.take((2, None)), engines.take((2, None)), engines.take((1, None))
    assert first is second
    assert first is not other
    engines.give_back((2, None))
    assert not first.closed  # type: ignore[attr-defined]
    engines.give_back((2, None))
    assert first.closed  # type: ignore[attr-defined]
    assert engines.take((2, None)) is not first


@given(st.text())
def test_the_streamed_pieces_are_the_answer(text: str) -> None:
    assert "".join(tokens(text)) == text.rstrip()


def test_rare_words_count_more_than_common_ones() -> None:
    documents = [words(text) for text in ("the red heron", "the red fox", "the red cat")]
    assert bm25(words("red heron"), documents)[0] > bm25(words("red heron"), documents)[1] > 0
    assert bm25(words("of the"), documents) == [0, 0, 0]
    assert bm25(["x"], []) == []


def test_endings_do_not_hide_a_word() -> None:
    assert words("Parcels are shipping") == words("parcel shipped")


def test_words_decide_between_equal_meanings() -> None:
    vectors = np.array([[1, 0], [1, 0]], np.float32)
    order = ranked("part X99", ["part X98 is blue", "part X99 is red"], vectors[0], vectors)
    assert [item.position for item in order] == [1, 0]
