"""Chains called by `/stream`: pieces on a topic, the whole answer in the record, and streams that go wrong."""

from __future__ import annotations

import asyncio
import json
from typing import Any, TypeAlias

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.configuration.validation import check
from langstream.errors import AgentFailed, BrokerUnavailable, RecordError, ServiceError
from langstream.records import SimpleRecord, header
from langstream.sdk.contract import CANCELLED, AgentContext
from tests.agents.web.conftest import FACT, TEXT, Bench, Site, page

NAME = "langserve-invoke"
Told: TypeAlias = tuple[str, str, str]

END = ("event: end", "")


def data(*texts: Any) -> list[str]:
    """Lines of events, as LangServe sends them."""
    return [line for text in texts for line in ("event: data", f"data: {json.dumps(text)}", "")]


async def ask(bench: Bench, record: SimpleRecord = FACT, **options: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return await bench.outcome(
        NAME, {"url": "{site}/c/stream", "output-field": "value", "stream-to-topic": "st", **named}, record
    )


async def answer(bench: Bench, **options: Any) -> str:
    outcome = await ask(bench, **options)
    assert not isinstance(outcome, Exception), outcome
    (stored,) = outcome
    value = stored.value()
    assert isinstance(value, str)
    return value


def streamed(bench: Bench) -> list[Told]:
    return [
        (record.value(), header(record.headers(), "stream-index"), header(record.headers(), "stream-last-message"))
        for record in bench.topics.sent.get("st", [])
    ]


HELLO = [*data({"content": "He"}, {"content": "llo"}, {"content": " w"}, {"content": "orld"}), *END]


async def test_pieces_go_to_the_topic_and_the_whole_to_the_record(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *HELLO)
    assert await answer(bench) == "Hello world"
    assert streamed(bench) == [("He", "1", "false"), ("llo w", "2", "false"), ("orld", "3", "true")]


async def test_pieces_are_copies_of_the_record_with_the_headers_of_the_stream(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *HELLO)
    (final,) = await ask(bench, output_field="value.r", stream_response_field="value")
    assert json.loads(final.value()) == {"q": "a b&c", "n": 1, "r": "Hello world"}
    assert final.headers() == [("p", "1")]
    pieces = bench.topics.sent["st"]
    assert {(piece.key(), piece.timestamp(), header(piece.headers(), "p")) for piece in pieces} == {("k1", 5, "1")}
    (stream_id,) = {header(piece.headers(), "stream-id") for piece in pieces}
    assert stream_id


async def test_pieces_go_to_the_output_field_if_no_other_is_named(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *data("x"), *END)
    await ask(bench, output_field="value.r")
    assert json.loads(bench.topics.sent["st"][0].value()) == {"q": "a b&c", "n": 1, "r": "x"}


async def test_every_answer_has_an_id_of_its_own(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *data("x"), *END)
    agent = await bench.start(
        NAME, {"url": "{site}/c/stream", "output-field": "value", "stream-to-topic": "st", "min-chunks-per-message": 9}
    )
    await agent.process_batch([FACT, FACT])
    ids = [header(record.headers(), "stream-id") for record in bench.topics.sent["st"]]
    assert ids[0] == ids[1] != ids[2] == ids[3]


@pytest.mark.parametrize(
    ("lines", "whole", "pieces"),
    [
        pytest.param(
            ["data: plain words", "", *END],
            "plain words",
            [("plain words", "1", "false"), ("", "2", "true")],
            id="text that is no JSON",
        ),
        pytest.param(['data: "x"', ""], "x", [("x", "1", "false"), ("", "2", "true")], id="no end"),
        pytest.param(['data: "x"'], "x", [("x", "1", "false"), ("", "2", "true")], id="not even a blank line"),
        pytest.param(
            ["event: metadata", 'data: {"run_id":"1", "content": "no"}', "", 'data: "x"', "", *END],
            "x",
            [("x", "1", "false"), ("", "2", "true")],
            id="metadata",
        ),
        pytest.param(
            ['data:"a"', "", "data:  b", "", *END], "a b", [("a", "1", "false"), (" b", "2", "true")], id="blanks"
        ),
        pytest.param(
            ["data: one", "data: two", "", *END],
            "one\ntwo",
            [("one\ntwo", "1", "false"), ("", "2", "true")],
            id="an event of two lines",
        ),
        pytest.param(
            [*data({"other": 1}, "", {"content": None}, {"content": 5}), *END],
            "5",
            [("5", "1", "false"), ("", "2", "true")],
            id="pieces without text",
        ),
        pytest.param([": ping", "", "id: 7", *END], "", [("", "1", "true")], id="an empty answer"),
    ],
)
async def test_what_the_events_say(bench: Bench, site: Site, lines: list[str], whole: str, pieces: list[Told]) -> None:
    site.streams("/c/stream", *lines)
    assert await answer(bench) == whole
    assert streamed(bench) == pieces


async def test_groups_double_up_to_the_limit(bench: Bench, site: Site) -> None:
    texts = [f"{number} " for number in range(1, 40)]
    site.streams("/c/stream", *data(*texts), *END)
    assert await answer(bench, min_chunks_per_message=3) == "".join(texts)
    groups = streamed(bench)
    assert [text for text, _, _ in groups[:4]] == ["1 ", "2 3 ", "4 5 6 ", "7 8 9 "]
    assert [index for _, index, _ in groups] == [str(number) for number in range(1, 16)]
    assert groups[-1] == ("", "15", "true")


async def test_empty_pieces_count_for_nothing(bench: Bench, site: Site) -> None:
    texts = ["", "a", *(f" {letter}" for letter in "bcdefghijklmnop"), "!", ""]
    site.streams("/c/stream", *data(*texts), *END)
    assert await answer(bench) == "".join(texts)
    assert [(text, last) for text, _, last in streamed(bench)] == [
        ("a", "false"),
        (" b c", "false"),
        (" d e f g", "false"),
        (" h i j k l m n o", "false"),
        (" p!", "true"),
    ]


async def test_the_member_with_the_text_can_be_named(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *data({"text": "T", "content": "C"}), *END)
    assert await answer(bench, content_field="text") == "T"


async def test_the_answer_ends_where_the_chain_says_so(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *data("x"), *END, *data("y"), stay=True)
    assert await answer(bench) == "x"
    await site.left.wait()


async def test_without_a_topic_the_answer_is_stored_alone(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *HELLO)
    assert await answer(bench, stream_to_topic=None) == "Hello world"
    assert bench.topics.sent == {}


async def test_a_server_that_does_not_stream_answers_in_one_piece(bench: Bench, site: Site) -> None:
    site.pages["/c/stream"] = page({"output": {"content": "whole"}})
    assert await answer(bench) == "whole"
    assert streamed(bench) == [("whole", "1", "false"), ("", "2", "true")]


# --- failures


async def test_a_status_from_400_on_is_an_error(bench: Bench, site: Site) -> None:
    site.pages["/c/stream"] = page("broken", 500, "text/plain")
    outcome = await ask(bench)
    assert isinstance(outcome, ServiceError)
    assert outcome.retryable is True
    assert bench.topics.sent == {}


async def test_a_service_that_is_not_there_fails_the_record(bench: Bench, unused_tcp_port: int) -> None:
    outcome = await ask(bench, url=f"http://127.0.0.1:{unused_tcp_port}/stream")
    assert isinstance(outcome, ServiceError)


@pytest.mark.parametrize(("status", "retryable"), [(500, True), (422, False)])
async def test_an_error_that_the_stream_reports_fails_the_record(
    bench: Bench, site: Site, status: int, retryable: bool
) -> None:
    report = json.dumps({"status_code": status, "message": "out of tokens"})
    site.streams("/c/stream", *data("x"), "event: error", f"data: {report}", "")
    outcome = await ask(bench)
    assert isinstance(outcome, ServiceError)
    assert outcome.retryable is retryable
    assert "out of tokens" in str(outcome)
    assert streamed(bench) == [("x", "1", "false")]


async def test_a_connection_that_breaks_off_fails_the_record(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *data("x"), cut=True)
    outcome = await ask(bench)
    assert isinstance(outcome, ServiceError)
    assert outcome.retryable is True


async def test_a_chain_that_falls_silent_fails_the_record(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *data("x"), stay=True)
    outcome = await ask(bench, timeout_seconds=0.05)
    assert isinstance(outcome, ServiceError)
    assert "0.05 s" in str(outcome)


async def test_a_page_that_is_no_stream_is_told_apart_from_an_empty_answer(bench: Bench, site: Site) -> None:
    site.pages["/c/stream"] = page("<html>Welcome</html>", content_type="text/html")
    outcome = await ask(bench)
    assert isinstance(outcome, ServiceError)
    assert "no events" in str(outcome)


async def test_an_answer_without_end_is_refused(bench: Bench, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langstream.agents.web.langserve_invoke.LONGEST_ANSWER", 2**20)
    site.streams("/c/stream", *data("x" * 2**19, "x" * 2**19), stay=True)
    outcome = await ask(bench)
    assert isinstance(outcome, ServiceError)
    assert outcome.category == "too-long"


@pytest.mark.parametrize("options", [{"output_field": "value.r"}, {"stream_response_field": "value.piece"}])
async def test_a_record_without_a_place_for_the_answer_fails_and_is_never_asked_about(
    bench: Bench, site: Site, options: dict[str, str]
) -> None:
    outcome = await ask(bench, TEXT, **options)
    assert isinstance(outcome, RecordError)
    assert site.requests == []


async def test_a_topic_that_cannot_be_written_costs_pieces_but_not_the_answer(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *HELLO)
    bench.topics.fail = [BrokerUnavailable("disk full")]
    assert await answer(bench) == "Hello world"
    assert streamed(bench) == [("llo w", "2", "false"), ("orld", "3", "true")]


async def test_a_cancelled_answer_leaves_the_chain(bench: Bench, site: Site) -> None:
    site.streams("/c/stream", *data("x"), stay=True)
    task = asyncio.ensure_future(ask(bench))
    await site.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await site.left.wait()


async def test_streaming_without_a_broker_refuses_to_start() -> None:
    declared = AGENT_TYPES.load(NAME)
    options = {"url": "http://h/stream", "output-field": "value", "stream-to-topic": "st"}
    agent = declared.create(check(declared.configuration, options, subject=NAME)[0])
    with pytest.raises(AgentFailed, match="no broker"):
        await agent.start(AgentContext("a", "app"))
    await agent.close()


async def test_a_chain_that_nobody_listens_to_any_more_is_hung_up_on_and_readers_are_told(
    bench: Bench, site: Site
) -> None:
    site.streams("/c/stream", *data("one", "two"), stay=True)
    named = {"url": "{site}/c/stream", "output-field": "value", "stream-to-topic": "st", "min-chunks-per-message": 1}
    agent = await bench.start(NAME, named)
    call = asyncio.create_task(agent.process_batch([FACT]))
    async with asyncio.timeout(60):
        while len(streamed(bench)) < 2:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
        assert not agent.is_told(FACT)
        call.cancel(CANCELLED)
        await asyncio.wait([call])
        await site.left.wait()
    assert call.cancelled()
    assert streamed(bench) == [("one", "1", "false"), ("two", "2", "false"), ("", "3", "true")]
    assert header(bench.topics.sent["st"][-1].headers(), "stream-cancelled") == "true"
