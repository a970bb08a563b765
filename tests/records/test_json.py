"""Reading and writing JSON: exact integers, no limits in writing, and defined results for everything odd."""

from __future__ import annotations

import array
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream import records as records_module
from langstream.records import AvroValue, Document, dump_json, parse_document, parse_json, parse_object, parser_of

NOT_OBJECTS: list[str | bytes] = [
    "",
    " ",
    "hello",
    "[1]",
    "5",
    '"text"',
    "null",
    "true",
    "{",
    "{'a':1}",
    '{"a":1,}',
    '{"a":1} tail',
    '{"a":1}{"b":2}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":"\\ud800"}',
    '{"a":"\ud800"}',
    '{"a":"line\nbreak"}',
    '{"a":' * 1100 + "1" + "}" * 1100,
    '{"a":%s}' % ("9" * 5000),
    '{"a":[NaN,%s]}' % ("9" * 400),
    '\ufeff{"a":1}',
    b"",
    b"\xff",
    b'{"a":"\xff"}',
    b"hello",
    b'\xef\xbb\xbf{"a":1}',
]


@pytest.mark.parametrize("text", NOT_OBJECTS, ids=lambda text: repr(text)[:24])
def test_what_is_not_exactly_one_object_stays_text(text: str | bytes) -> None:
    assert parse_document(text) is text


@pytest.mark.parametrize("text", ['{"a": 1.50}', ' \r\n\t{"a":1.5} ', b'{"a":1.5}', b'\n{"a":1.5}\n'])
def test_an_object_is_a_document_that_keeps_its_text(text: str | bytes) -> None:
    document = parse_document(text)
    assert isinstance(document, Document)
    assert document.content == {"a": 1.5}
    assert document.text() is text
    assert document.binary is isinstance(text, bytes)


def test_of_duplicate_names_the_last_one_wins() -> None:
    assert parse_document('{"a":1,"a":2}').content == {"a": 2}


integers = st.integers() | st.integers(min_value=2**53, max_value=2**70) | st.integers(max_value=10**400)
scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


def same(left: Any, right: Any) -> bool:
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[name], right[name]) for name in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


@given(st.dictionaries(st.text(), values))
def test_what_was_written_is_read_back_exactly(content: dict[str, Any]) -> None:
    written = dump_json(content)
    for text in (written, written.decode()):
        document = parse_document(text)
        assert same(document.content, content)
        assert same(parse_json(text), content)


@given(st.dictionaries(st.text(), values), st.integers(0, 12), st.sampled_from(["", " ", "\n\t"]))
def test_objects_written_by_others_are_read_as_the_standard_parser_reads_them(
    content: dict[str, Any], indent: int, blank: str
) -> None:
    text = blank + json.dumps(content, indent=indent or None, ensure_ascii=bool(indent % 2))
    assert same(parse_document(text).content, json.loads(text))


@pytest.mark.parametrize("offset", range(12))
@pytest.mark.parametrize("integer", [2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**19, -(10**19), 10**20])
def test_integers_around_64_bits_are_exact_wherever_they_stand(integer: int, offset: int) -> None:
    text = f'{{"pad":"{"x" * offset}","a":[{integer}],"b":{integer}}}'
    assert parse_document(text).content == {"pad": "x" * offset, "a": [integer], "b": integer}
    assert parse_document(text.encode()).content["b"] == integer


def test_long_fractions_are_floats() -> None:
    text = '{"a":0.00012345678901234567890,"b":12345678901234567890.5}'
    assert parse_document(text).content == {"a": 0.00012345678901234567890, "b": 12345678901234567890.5}


def test_parse_json_reads_any_value_and_refuses_what_is_none() -> None:
    assert parse_json("12345678901234567890") == 12345678901234567890
    assert parse_json(b"-12345678901234567890") == -12345678901234567890
    assert parse_json(str(10**400)) == 10**400
    assert parse_json("null") is None
    for text in ("", "NaN", "{", "[1]x", '"\ud800"', "[" * 1100 + "]" * 1100):
        with pytest.raises(ValueError):
            parse_json(text)


WRITTEN: list[tuple[Any, str]] = [
    ({"é": "ü\u2028"}, '{"é":"ü\u2028"}'),
    ([float("nan"), float("inf"), -float("inf")], "[null,null,null]"),
    ({7: "a", None: "b", True: "c", 2.5: "d"}, '{"7":"a","null":"b","true":"c","2.5":"d"}'),
    (b"abc", '"YWJj"'),
    (Decimal("1.50"), "1.50"),
    ({"d": Decimal("12345678901234567890.10")}, '{"d":12345678901234567890.10}'),
    (Decimal("NaN"), "null"),
    (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), '"2024-01-02T03:04:05Z"'),
    (date(2024, 1, 2), '"2024-01-02"'),
    (time(3, 4, 5), '"03:04:05"'),
    ((1, 2), "[1,2]"),
    ({7}, "[7]"),
    (array.array("f", [1.0, 2.5]), "[1.0,2.5]"),
    (Document({"a": 1}), '{"a":1}'),
    (AvroValue({"type": "int"}, 5), "5"),
    (
        {"big": 2**64, "d": Decimal("1.0"), "doc": Document({"b": b"x"})},
        '{"big":18446744073709551616,"d":1.0,"doc":{"b":"eA=="}}',
    ),
    ("\ud800", '"\\ud800"'),
    ({"\ud800": ["\udfff"]}, '{"\\ud800":["\\udfff"]}'),
]


@pytest.mark.parametrize(("value", "text"), WRITTEN)
def test_a_value_is_written(value: Any, text: str) -> None:
    assert dump_json(value).decode() == text


def test_arrays_of_numpy_are_lists() -> None:
    numpy = pytest.importorskip("numpy")
    assert dump_json({"v": numpy.arange(4.0)[::2], "s": numpy.float32(0.5)}) == b'{"v":[0.0,2.0],"s":0.5}'


@pytest.mark.parametrize("depth", [254, 255, 1000, 20_000])
def test_nesting_has_no_limit_in_writing(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = {"a": [value]}
    assert dump_json(value) == b'{"a":[' * depth + b"1" + b"]}" * depth
    while isinstance(value, dict):  # take it apart slowly: freeing it at once could overflow the stack
        value = value["a"].pop()


def test_what_can_be_read_can_be_written() -> None:
    text = b'{"a":' * 1000 + b"{}" + b"}" * 1000
    assert dump_json(parse_document(text).content) == text


def test_a_shared_value_is_written_twice() -> None:
    shared = [2**70]
    assert dump_json([shared, shared]) == b"[[%d],[%d]]" % (2**70, 2**70)


def test_a_value_that_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["a"] = [value]
    with pytest.raises(TypeError, match="contains itself"):
        dump_json(value)


@pytest.mark.parametrize("value", [object(), {"a": object()}, {"a": lambda: 1}, {"big": 2**64, "o": object()}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="JSON"):
        dump_json(value)


def test_integers_too_long_for_text_are_refused() -> None:
    with pytest.raises(TypeError, match="4,300 digits"):
        dump_json([10**5000])


@pytest.mark.parametrize(
    "text", ['{"a":"%s","n":1}' % ("7" * 40), '{"%s":2}' % ("1" * 25), '{"a":"\\"%s"}' % ("8" * 30)]
)
@pytest.mark.parametrize("binary", [False, True])
def test_digits_in_strings_do_not_call_for_the_slow_parser(text: str, binary: bool) -> None:
    with patch.object(records_module, "_loads_exactly") as slowly:
        assert parse_object(text.encode() if binary else text) == json.loads(text)
    slowly.assert_not_called()


@pytest.mark.parametrize("number", [2**64, 2**64 - 1, -(2**63) - 1, -(2**63), 2**200, 10**400])
@pytest.mark.parametrize("before", ["", '"s":"\\"",', '"s":"12345678901234567890\\\\",', '"f":1.5,"t":1700000000000,'])
def test_long_integers_are_exact_wherever_they_stand(number: int, before: str) -> None:
    for shift in range(5):
        text = f'{{{before}{" " * shift}"n":[{number}]}}'
        assert parse_object(text)["n"] == [number]
        assert parse_object(text.encode())["n"] == [number]
        assert parser_of(['{"a":1}'] * 5 + [text])(text)["n"] == [number]


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70), min_size=40, max_size=60),
    st.integers(0, 8),
    st.sampled_from([None, "text", {}, [[1]], True]),
)
def test_numbers_among_those_of_a_vector_are_as_exact_as_the_slow_parser_makes_them(
    numbers: list[Any], depth: int, other: Any
) -> None:
    content: Any = {"vector": numbers, "number": numbers[0]}
    if other is not None:
        content["mixed"] = [other, *numbers]
    for _ in range(depth):
        content = {"inner": content}
    text = json.dumps(content)
    for found in (parse_object(text), parse_object(text.encode()), parser_of([text] * 5)(text)):
        assert json.dumps(found) == text


def test_a_vector_does_not_call_for_a_look_at_every_digit() -> None:
    text = json.dumps(
        {"text": "x" * 500, "year": 1999, "inner": {"vector": [0.0012345678901234567 * n for n in range(384)]}}
    )
    with patch.object(records_module, "_has_long_integer") as search:
        assert parse_object(text) == parse_object(text.encode()) == json.loads(text)
        assert parser_of([text] * 9)(text) == json.loads(text)
    search.assert_not_called()


@given(
    st.lists(
        st.one_of(st.text(max_size=30), st.recursive(st.integers() | st.text(), st.lists, max_leaves=5)), max_size=8
    )
)
def test_the_parser_of_many_texts_does_what_parse_object_does(contents: list[Any]) -> None:
    texts = [content if isinstance(content, str) else json.dumps({"content": content}) for content in contents]
    parse = parser_of(texts)
    assert [parse(text) for text in texts] == [parse_object(text) for text in texts]


def test_a_lone_surrogate_among_many_texts_is_left_alone() -> None:
    texts = ['{"a":1}', "{\ud800}", '{"b":"\ud800"}', '{"c":2}', '{"d":3}']
    parse = parser_of(texts)
    assert [parse(text) for text in texts] == [{"a": 1}, *texts[1:3], {"c": 2}, {"d": 3}]


def test_a_string_that_does_not_end_takes_no_time() -> None:
    text = '{"n":12345678901234567890123,"a":"' + '\\"' * 200_000
    assert parse_object(text) is text
