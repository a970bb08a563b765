"""When an answer is complete."""

from __future__ import annotations

from langstream.gateway.answers import Answer
from langstream.gateway.delivery import Delivery
from langstream.records import SimpleRecord


def piece(stream: str, last: bool = False, cancelled: bool = False) -> Delivery:
    headers = [("stream-id", stream), ("stream-last-message", "true" if last else "false")]
    return Delivery(SimpleRecord("x", headers=(*headers, *([("stream-cancelled", "true")] if cancelled else []))), {})


def completed(*deliveries: Delivery) -> list[bool]:
    answer = Answer()
    return [answer.completed_by(delivery) for delivery in deliveries]


def test_a_record_that_is_no_piece_is_an_answer() -> None:
    assert completed(Delivery(SimpleRecord("x"), {})) == [True]


def test_the_first_stream_is_the_answer_up_to_its_last_piece() -> None:
    pieces = piece("a"), piece("b", last=True), Delivery(SimpleRecord("x"), {}), piece("a"), piece("a", last=True)
    assert completed(*pieces) == [False, False, False, False, True]


def test_the_end_of_what_was_asked_by_somebody_who_left_is_not_the_end_of_this_answer() -> None:
    assert completed(piece("old", True, True), piece("new"), piece("new", True)) == [False, False, True]
    pieces = piece("old"), piece("old", True, True), piece("new"), piece("new", True)
    assert completed(*pieces) == [False, False, False, True]
    assert completed(piece("new"), piece("old", True, True), piece("new", True)) == [False, False, True]
