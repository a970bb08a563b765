"""Chains called by `/invoke`: what they are given, and the text in their answers."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from langstream.errors import LangStreamError, RecordError, ServiceError
from langstream.records import SimpleRecord
from tests.agents.web.conftest import FACT, TEXT, Bench, Site, page

NAME = "langserve-invoke"


async def invoke(bench: Bench, path: str = "/c/invoke", record: SimpleRecord = FACT, **options: Any) -> Any:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return await bench.outcome(NAME, {"url": "{site}" + path, "output-field": "value.r", **named}, record)


async def answer(bench: Bench, site: Site, body: Any, **options: Any) -> Any:
    """What is stored of an answer with this body."""
    site.pages["/c/invoke"] = page(body)
    outcome = await invoke(bench, **options)
    if isinstance(outcome, Exception):
        raise outcome
    (stored,) = outcome
    return json.loads(stored.value())["r"]


# --- answers


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        ({"output": {"content": "C1", "x": 1}, "callback_events": []}, "C1"),
        ({"output": "plain out"}, "plain out"),
        ({"output": ""}, ""),
        ("just text", "just text"),
        ('"quoted text"', "quoted text"),
        ({"content": "top"}, "top"),
        ({"output": None, "content": "top"}, "top"),
        ({"output": {"other": 1}, "content": "top"}, "top"),
        ({"output": {"content": 7}}, "7"),
        ({"output": {"content": [{"type": "text"}]}}, '[{"type":"text"}]'),
        ({"output": ["a", 1]}, '["a",1]'),
        ({"output": True}, "true"),
        ('{"broken', '{"broken'),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
async def test_the_text_of_an_answer(bench: Bench, site: Site, body: Any, stored: str) -> None:
    assert await answer(bench, site, body) == stored


async def test_another_member_may_hold_the_text(bench: Bench, site: Site) -> None:
    assert await answer(bench, site, {"output": {"text": "T", "content": "C"}}, content_field="text") == "T"


@pytest.mark.parametrize("body", [{"output": {"text": "T"}}, {"output": None}, {}, {"output": {"content": None}}])
async def test_an_answer_without_text_fails_its_record(bench: Bench, site: Site, body: Any) -> None:
    with pytest.raises(RecordError, match=r"no member 'content'.*content-field") as caught:
        await answer(bench, site, body)
    assert caught.value.retryable is False


async def test_the_answer_may_take_the_place_of_the_value(bench: Bench, site: Site) -> None:
    site.pages["/c/invoke"] = page({"output": "O"})
    (stored,) = await invoke(bench, record=TEXT, output_field="value")
    assert stored == SimpleRecord("O", "k", [("p", "1")])


async def test_a_record_without_a_place_for_the_answer_fails_and_is_never_asked_about(bench: Bench, site: Site) -> None:
    outcome = await invoke(bench, record=TEXT)
    assert isinstance(outcome, RecordError)
    assert "not structured" in str(outcome)
    assert site.requests == []


# --- requests


async def test_the_fields_are_the_input(bench: Bench, site: Site) -> None:
    fields = [
        {"name": "topic", "expression": "value.q"},
        {"name": "z.a", "expression": "value.zz"},
        {"name": "n", "expression": "value.n + 1"},
        {"name": "at", "expression": "fn:timestampAdd('2024-01-02T03:04:05Z', 0, 'millis')"},
    ]
    await answer(bench, site, {"output": "O"}, fields=fields)
    ((method, path, headers, body),) = site.requests
    assert (method, path, headers["content-type"]) == ("POST", "/c/invoke", "application/json")
    assert json.loads(body) == {"input": {"topic": "a b&c", "z.a": None, "n": 2, "at": 1704164645000}}


async def test_without_fields_the_input_is_empty(bench: Bench, site: Site) -> None:
    await answer(bench, site, {"output": "O"})
    assert site.requests[0][3] == b'{"input":{}}'


async def test_method_and_headers_are_as_configured(bench: Bench, site: Site) -> None:
    headers = {"content-type": "application/vnd.x+json", "X-User": "{{ properties.p }}"}
    await answer(bench, site, {"output": "O"}, method="PUT", headers=headers)
    method, _, sent, _ = site.requests[0]
    assert (method, sent["content-type"], sent["x-user"]) == ("PUT", "application/vnd.x+json", "1")


async def test_an_expression_that_fails_names_its_field(bench: Bench, site: Site) -> None:
    outcome = await invoke(bench, fields=[{"name": "topic", "expression": "value.q / 2"}])
    assert isinstance(outcome, RecordError)
    assert str(outcome).startswith("topic: ")
    assert site.requests == []


# --- failures


@pytest.mark.parametrize("status", [400, 500])
async def test_a_status_from_400_on_is_an_error(bench: Bench, site: Site, status: int) -> None:
    site.pages["/c/invoke"] = page({"output": "O"}, status)
    outcome = await invoke(bench)
    assert isinstance(outcome, ServiceError)
    assert f"answered {status}" in str(outcome)


async def test_a_redirect_that_is_not_followed_is_no_answer(bench: Bench, site: Site) -> None:
    site.pages["/c/invoke"] = page("moved", 307, Location="/d/invoke")
    site.pages["/d/invoke"] = page({"output": "O"})
    outcome = await invoke(bench, allow_redirects=False)
    assert isinstance(outcome, ServiceError)
    assert outcome.retryable is False
    (stored,) = await invoke(bench)
    assert json.loads(stored.value())["r"] == "O"


async def test_the_records_of_a_batch_do_not_affect_each_other(bench: Bench, site: Site) -> None:
    site.pages["/c/invoke"] = page({"output": "O"})
    agent = await bench.start(NAME, {"url": "{site}/c/invoke", "output-field": "value.r"})
    good, bad = await agent.process_batch([FACT, TEXT])
    assert not isinstance(good, Exception)
    assert isinstance(bad, LangStreamError)


# --- telling


async def test_input_and_answer_are_logged_only_on_request(
    bench: Bench, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    fields = [{"name": "topic", "expression": "value.q"}]
    await answer(bench, site, {"output": "words"}, fields=fields)
    assert "a b&c" not in caplog.text
    await answer(bench, site, {"output": "words"}, fields=fields, debug=True, headers={"Authorization": "Bearer t-1"})
    assert '"topic":"a b&c"' in caplog.text
    assert "words" in caplog.text
    assert "t-1" not in caplog.text


async def test_a_topic_for_pieces_that_never_come_is_warned_about(
    bench: Bench, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    assert await answer(bench, site, {"output": "O"}, stream_to_topic="st") == "O"
    assert bench.topics.sent == {}
    assert "only chains called by /stream" in caplog.text
