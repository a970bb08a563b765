"""Identical questions: one call, one answer, for a while."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.ai.cache import Cache, cached
from langstream.agents.ai.chat_completions import AGENT
from langstream.agents.ai.kept_answer import encoded
from langstream.agents.ai.model_call import Answered, Asked, ModelCall
from langstream.agents.ai.operations import CacheOptions
from langstream.errors import ServiceError
from langstream.records import SimpleRecord, header
from langstream.sdk.contract import NoMetrics, Place
from langstream.services.ai.contract import Chunk, CompletionOptions, Message, Usage

Bench: TypeAlias = Any

CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "{{ value.q }}"}],
    "completion-field": "value.answer",
    "usage-headers": True,
    "prices": {"m": {"prompt": 1_000_000}},
    "cache": {},
}


async def ask(agent: Any, question: str = "x", place: Place | None = None) -> Any:
    (outcome,) = await agent.process_placed([SimpleRecord(json.dumps({"q": question}))], [place])
    return outcome


async def test_an_identical_question_is_answered_from_the_cache_and_costs_nothing(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    ((first,), (again,)) = await ask(agent), await ask(agent)
    assert again.value() == first.value()
    assert len(bench.service.calls) == 1
    assert bench.metrics.values["ai_cache_hits"] == 1
    assert [header(record.headers(), "langstream-cost") for record in (first, again)] == ["3", "0"]
    assert header(again.headers(), "langstream-prompt-tokens") == "0"


async def test_another_question_is_asked(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    await ask(agent)
    await ask(agent, "y")
    assert len(bench.service.calls) == 2


async def test_without_the_option_nothing_is_cached(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "cache": None})
    await ask(agent)
    await ask(agent)
    assert len(bench.service.calls) == 2


async def test_replicas_share_the_cache_but_not_with_other_services(bench: Bench) -> None:
    one, other = await bench.start(AGENT, CHAT), await bench.start(AGENT, CHAT)
    second = await bench.start(AGENT, {**CHAT, "ai-service": "second"})
    for agent in (one, other, second):
        await ask(agent)
    assert (len(bench.service.calls), len(bench.second.calls)) == (1, 1)


async def test_an_answer_from_the_cache_is_streamed_piece_by_piece_under_an_id_of_its_own(bench: Bench) -> None:
    agent = await bench.start(AGENT, {**CHAT, "stream-to-topic": "st", "min-chunks-per-message": 1})
    await ask(agent)
    await ask(agent)
    sent = [(header(r.headers(), "stream-id"), json.loads(r.value())["answer"]) for r in bench.topics.sent["st"]]
    assert [text for _, text in sent[: len(sent) // 2]] == [text for _, text in sent[len(sent) // 2 :]]
    assert len({stream_id for stream_id, _ in sent}) == 2


async def test_a_retry_because_of_the_answer_asks_anew(bench: Bench) -> None:
    agent = await bench.start(AGENT, CHAT)
    await ask(agent)
    await ask(agent, place=Place("in", 0, 1, anew=True))
    assert len(bench.service.calls) == 2


async def test_with_disk_answers_survive_a_restart(bench: Bench, tmp_path: Path) -> None:
    bench.directory = tmp_path
    kept = {**CHAT, "cache": {"disk": True}, "journal": {"enabled": False}}
    await ask(await bench.start(AGENT, kept))
    await bench.close()
    await ask(await bench.start(AGENT, kept))
    assert len(bench.service.calls) == 1
    await bench.close()
    await ask(await bench.start(AGENT, {**kept, "cache": {"disk": False}}))
    assert len(bench.service.calls) == 2


async def test_an_expired_answer_is_not_taken_from_disk(bench: Bench, tmp_path: Path) -> None:
    bench.directory = tmp_path
    kept = {**CHAT, "journal": {"enabled": False}}
    await ask(await bench.start(AGENT, {**kept, "cache": {"disk": True}}))
    await bench.close()
    await ask(await bench.start(AGENT, {**kept, "cache": {"disk": True, "ttl-seconds": 1e-6}}))
    assert len(bench.service.calls) == 2


# --- concurrent questions -------------------------------------------------------------------------------------------


class Slow:
    """An inner layer that answers when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.begun = asyncio.Event()
        self.calls = 0
        self.ended = 0
        self.error: ServiceError | None = None

    async def __call__(self, asked: Asked) -> AsyncGenerator[Chunk, None]:
        self.calls += 1
        try:
            yield Chunk("a", "id")
            self.begun.set()
            await self.go_on.wait()
            if self.error is not None:
                raise self.error
            asked.answered = Answered("s", "m", Usage(1, 1))
            yield Chunk("b", "id", last=True)
        finally:
            self.ended += 1


CALL = ModelCall("chat", (Message("x", "user"),), CompletionOptions())


@pytest.fixture
def slow() -> Slow:
    return Slow()


def asker_of(slow: Slow, cache: Cache) -> Any:
    return cached(cache, slow, b"scope", NoMetrics().counter("hits"))


async def text_of(asker: Any, asked: Asked) -> str:
    return "".join([chunk.text async for chunk in asker(asked)])


async def test_those_who_ask_meanwhile_listen_to_the_same_call(slow: Slow) -> None:
    asker = asker_of(slow, Cache(CacheOptions()))
    asked = [Asked(CALL) for _ in range(5)]
    answers = [asyncio.create_task(text_of(asker, each)) for each in asked]
    await slow.begun.wait()
    late = asyncio.create_task(text_of(asker, Asked(CALL)))
    await asyncio.sleep(0)
    slow.go_on.set()
    assert await asyncio.gather(*answers, late) == ["ab"] * 6
    assert slow.calls == 1
    assert [each.answered.usage.prompt_tokens for each in asked if each.answered] == [1, 0, 0, 0, 0]


async def test_all_of_them_learn_of_a_failure_and_nothing_is_kept(slow: Slow) -> None:
    slow.error = ServiceError("broken")
    slow.go_on.set()
    cache = Cache(CacheOptions())
    asker = asker_of(slow, cache)
    outcomes = await asyncio.gather(*(text_of(asker, Asked(CALL)) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ServiceError] * 3
    assert (slow.calls, len(cache), cache.flights) == (1, 0, {})


async def test_the_call_goes_on_as_long_as_somebody_listens(slow: Slow) -> None:
    cache = Cache(CacheOptions())
    asker = asker_of(slow, cache)
    first, second = [asyncio.create_task(text_of(asker, Asked(CALL))) for _ in range(2)]
    await slow.begun.wait()
    first.cancel()
    await asyncio.wait([first])
    assert slow.ended == 0
    slow.go_on.set()
    assert await second == "ab"


async def test_the_call_ends_when_nobody_listens_any_more(slow: Slow) -> None:
    cache = Cache(CacheOptions())
    asker = asker_of(slow, cache)
    listeners = [asyncio.create_task(text_of(asker, Asked(CALL))) for _ in range(2)]
    await slow.begun.wait()
    for listener in listeners:
        listener.cancel()
    await asyncio.wait(listeners)
    assert (slow.ended, cache.flights) == (1, {})
    slow.go_on.set()
    assert await text_of(asker, Asked(CALL)) == "ab"
    assert slow.calls == 2


# --- the cache itself -----------------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def content(text: str) -> bytes:
    return encoded([Chunk(text, last=True)], Answered("s", "m"))


def test_the_answer_used_longest_ago_goes_first() -> None:
    cache = Cache(CacheOptions.model_validate({"max-entries": 2}))
    cache.put(b"1", content("one"))
    cache.put(b"2", content("two"))
    assert cache.get(b"1") is not None
    cache.put(b"3", content("three"))
    assert [cache.get(key) is not None for key in (b"1", b"2", b"3")] == [True, False, True]


def test_answers_expire() -> None:
    clock = Clock()
    cache = Cache(CacheOptions.model_validate({"ttl-seconds": 10}), clock)
    cache.put(b"1", content("one"))
    clock.now = 10
    assert cache.get(b"1") is not None
    clock.now = 10.1
    assert cache.get(b"1") is None
    assert (len(cache), cache.size) == (0, 0)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.text(max_size=50)), max_size=40))
def test_it_never_holds_more_than_it_may(puts: list[tuple[bytes, str]]) -> None:
    cache = Cache(CacheOptions.model_validate({"max-entries": 5, "max-bytes": 300}))
    for key, text in puts:
        cache.put(key, content(text))
        assert len(cache) <= 5
        assert cache.size <= 300
    kept = {key: cache.get(key) for key, _ in puts}
    assert cache.size == sum(len(each) for each in kept.values() if each is not None)
