"""Push frames, answers, intake, pace and close reasons."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from langstream.gateway.answers import Answer
from langstream.gateway.delivery import Delivery
from langstream.gateway.endpoints import StuckClient, close_reason, first_of, patiently
from langstream.gateway.intake import Intake
from langstream.gateway.limits import Pace
from langstream.gateway.query import forwarded_query
from langstream.records import AvroValue, Document, SimpleRecord
from langstream.topics.contract import position_from_text


def frame(value: Any, **more: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(Delivery(SimpleRecord(value, **more), {0: 1}).frame)["record"]
    return record


@pytest.mark.parametrize(
    ("value", "pushed"),
    [
        ("text", "text"),
        ('{"a": 1}', '{"a": 1}'),
        (None, None),
        (b"gr\xc3\xbc\xc3\x9fe", "grüße"),
        (Document({"a": 1}), '{"a":1}'),
        ({"a": [1]}, '{"a":[1]}'),
        (7, "7"),
        (True, "true"),
        ("lone \ud800 surrogate", "lone \ud800 surrogate"),
        (AvroValue({"type": "record"}, {"a": 1, "c": Decimal("1.5")}), {"a": 1, "c": 1.5}),
    ],
)
def test_values_are_pushed_as_they_stand_on_the_topic(value: Any, pushed: Any) -> None:
    record = frame(value)
    assert record["value"] == pushed
    assert "encoding" not in record


def test_bytes_that_are_no_text_are_marked() -> None:
    record = frame(b"\xff\x00", key=b"\xfe")
    assert (record["value"], record["key"]) == ("/wA=", "/g==")
    assert record["encoding"] == {"key": "base64", "value": "base64"}


def test_headers_are_text_and_the_last_of_a_name_stays() -> None:
    headers = [("a", "1"), ("a", "2"), ("b", None), ("c", b"x"), ("d", 4)]
    assert frame("x", headers=headers)["headers"] == {"a": "2", "b": None, "c": "x", "d": "4"}


def test_the_offset_is_a_position() -> None:
    delivery = Delivery(SimpleRecord("x"), {1: 5, 0: 3})
    assert json.loads(delivery.frame)["offset"] == delivery.offset
    assert position_from_text(delivery.offset) == b'{"0": 3, "1": 5}'


def chunk(last: str | None, stream: str = "s") -> Delivery:
    headers = [] if last is None else [("stream-id", stream), ("stream-last-message", last)]
    return Delivery(SimpleRecord("x", headers=headers), {})


def test_an_answer_ends_with_a_whole_record_or_the_last_chunk_of_its_stream() -> None:
    assert Answer().completed_by(chunk(None))
    assert Answer().completed_by(chunk("true"))
    answer = Answer()
    chunks = [chunk("false"), chunk(None), chunk("true", "other"), chunk("true")]
    assert [answer.completed_by(each) for each in chunks] == [False, False, False, True]


async def test_the_intake_gives_everything_at_once_and_holds_little() -> None:
    intake = Intake(max_bytes=10)
    await intake.put("12345")
    await intake.put("12345")
    putting = asyncio.create_task(intake.put("a message larger than the intake"))
    await asyncio.sleep(0)
    assert not putting.done()
    assert await intake.take() == ["12345", "12345"]
    await putting
    intake.end()
    assert await intake.take() == ["a message larger than the intake"]
    assert await intake.take() == []


async def test_a_fast_client_is_slowed_down() -> None:
    pace, unlimited = Pace(100), Pace(0)
    clock = asyncio.get_running_loop().time
    started = clock()
    for _ in range(110):
        await pace.wait()
        await unlimited.wait()
    assert clock() - started >= 0.09


def test_a_close_reason_fits_into_its_frame() -> None:
    reason = close_reason("ü" * 200)
    assert reason == "ü" * 61


@pytest.mark.parametrize(
    ("query", "forwarded"),
    [
        ("", ""),
        ("a=1&b=%20&a=2", "a=1&b=%20&a=2"),
        ("credentials=x&test-credentials=y&a=1&param:p=1&option:o=2", "a=1"),
        ("%63redentials=x&param%3Ap=1&credentialsx=1", "credentialsx=1"),
        ("flag&=x", "flag&=x"),
    ],
)
def test_a_service_agent_sees_none_of_the_gateways_parameters(query: str, forwarded: str) -> None:
    assert forwarded_query(query) == forwarded


async def test_the_first_to_end_cancels_the_others() -> None:
    cancelled = asyncio.Event()

    async def waits() -> str:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        return "late"

    async def ends() -> str:
        return "first"

    async def fails() -> str:
        raise KeyError

    assert await first_of(waits(), ends()) == "first"
    assert cancelled.is_set()
    with pytest.raises(KeyError):
        await first_of(waits(), fails())


async def test_patience_with_a_client_ends() -> None:
    await patiently(asyncio.sleep(0), 5)
    with pytest.raises(StuckClient):
        await patiently(asyncio.sleep(60), 0.01)
