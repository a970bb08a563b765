"""YAML becomes plain data whose every place is known, or a clear refusal."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from langstream.application import yaml_source
from langstream.application.yaml_source import MAX_BYTES, read_yaml
from langstream.errors import Position


def data_of(text: str) -> Any:
    document, problems = read_yaml(text.encode(), "file.yaml")
    assert problems == []
    assert document is not None
    return document.data


def problem_of(content: bytes | str) -> str:
    document, problems = read_yaml(content.encode() if isinstance(content, str) else content, "file.yaml")
    assert document is None
    (problem,) = problems
    return str(problem)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-7", -7),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("No", False),
        ("ON", True),
        ("~", None),
        ("", None),
        ("null", None),
        ("007", "007"),
        ("00.5", "00.5"),
        ("2024-01-31", "2024-01-31"),
        ("12:30", "12:30"),
        ("1.2.3", "1.2.3"),
        ("'1'", "1"),
        ("'~'", "~"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("y", "y"),
    ],
)
def test_scalars_have_the_types_people_expect(text: str, value: object) -> None:
    found = data_of(f"key: {text}\n")["key"]
    assert found == value
    assert type(found) is type(value)


def test_a_very_long_number_stays_text() -> None:
    assert data_of(f"key: {'9' * 500}") == {"key": "9" * 500}


def test_keys_are_text_as_written() -> None:
    assert data_of("1: a\non: b\nnull: c\n") == {"1": "a", "on": "b", "null": "c"}


def test_a_place_is_that_of_its_key_and_of_the_nearest_enclosing_one_where_there_is_none() -> None:
    document, _ = read_yaml(b"top:\n  list:\n  - one\n  - two: {deep: 1}\n", "file.yaml")
    assert document is not None
    assert document.places(("top",)) == Position("file.yaml", 1, 1)
    assert document.places(("top", "list", 1)) == Position("file.yaml", 4, 5)
    assert document.places(("top", "list", 1, "two", "deep")) == Position("file.yaml", 4, 11)
    assert document.places(("top", "list", 1, "nowhere", 3)) == Position("file.yaml", 4, 5)
    assert document.places.below("top", "list")((0,)) == Position("file.yaml", 3, 5)


def test_aliases_and_merge_keys_are_filled_in_and_own_keys_win() -> None:
    text = "base: &base {a: 1, b: [2]}\nfirst: {<<: *base, a: 3}\nsecond: {<<: [{c: 4}, *base], b: 5}\n"
    assert data_of(text) == {
        "base": {"a": 1, "b": [2]},
        "first": {"a": 3, "b": [2]},
        "second": {"a": 1, "b": 5, "c": 4},
    }


def test_a_quoted_merge_key_is_a_key() -> None:
    assert data_of("'<<': 1") == {"<<": 1}


def test_a_duplicate_key_is_refused_and_the_rest_is_read() -> None:
    document, problems = read_yaml(b"a: 1\nb: 2\na: 3\n", "file.yaml")
    assert document is not None
    assert document.data == {"a": 1, "b": 2}
    assert [str(problem) for problem in problems] == [
        "file.yaml:3:1: The key 'a' is written twice. It is first written on line 1."
    ]


@pytest.mark.parametrize(
    ("text", "line"), [("a: 1\n---\nb: 2\n", 2), ("a: 1\n---\n", None), ("a: 1\n...\n", None), ("a: 1\n---\n[", 2)]
)
def test_only_the_first_document_is_used(text: str, line: int | None) -> None:
    document, problems = read_yaml(text.encode(), "file.yaml")
    assert problems == []
    assert document is not None
    assert document.data == {"a": 1}
    assert document.rest == (Position("file.yaml", line, 1) if line else None)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n"])
def test_a_file_without_content_has_no_data(text: str) -> None:
    assert data_of(text) is None


def test_a_byte_order_mark_is_no_content() -> None:
    document, _ = read_yaml(b"\xef\xbb\xbfa: 1", "file.yaml")
    assert document is not None
    assert document.data == {"a": 1}


def test_broken_syntax_names_line_and_column() -> None:
    message = problem_of("topics: [{name: b}\npipeline:\n")
    assert message.startswith("file.yaml:2:1: This is not valid YAML:")
    assert "begun on line 1" in message


def test_a_tab_as_indentation_gets_advice() -> None:
    assert "not with tabs" in problem_of("a:\n\t- b\n")


def test_a_control_character_is_located() -> None:
    assert problem_of("a: 1\nb: é\x07").startswith("file.yaml:2:5: ")


def test_other_encodings_are_refused_by_name() -> None:
    assert "UTF-16" in problem_of("a: 1".encode("utf-16"))
    assert "line 2" in problem_of(b"a: 1\nb: caf\xe9")


def test_an_alias_bomb_is_refused_before_it_is_expanded() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join(['*' + chr(97 + level)] * 10)}]\n" for level in range(9)
    )
    assert "values" in problem_of(bomb)


def test_deep_nesting_is_refused() -> None:
    assert "levels deep" in problem_of("[" * 50_000)


def test_a_huge_file_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_source, "yaml", None)
    assert "too large" in problem_of(b"a" * (MAX_BYTES + 1))


def test_a_value_cannot_contain_itself() -> None:
    assert "has no anchor &a before it" in problem_of("a: &a [*a]")


@pytest.mark.parametrize("text", ["a: !!python/object:os.system {}", "a: !custom 1", "a: !!set {x}"])
def test_other_tags_are_refused(text: str) -> None:
    assert "is not supported" in problem_of(text)


@pytest.mark.parametrize("text", ["? [a]\n: 1\n", "{{ value }}: 1\n", "a: {{{ x }}}"])
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    assert "must be a text" in problem_of(text)


_KEYS = st.text(alphabet="abcdefgh-_ é", min_size=1, max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(alphabet="ab:{}#'\"\n 1.~-é", max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
def test_what_a_yaml_library_writes_is_read_back(value: object) -> None:
    document, problems = read_yaml(yaml.safe_dump(value, allow_unicode=True).encode(), "file.yaml")
    assert problems == []
    assert document is not None
    assert document.data == value


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail(content: bytes) -> None:
    document, problems = read_yaml(content, "file.yaml")
    assert document is not None or problems
