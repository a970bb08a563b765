"""The instance and secrets files take values from the environment and from files beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from langstream.application.substitution import substitute
from langstream.configuration.validation import nowhere

ENVIRONMENT = {"SET": "value", "EMPTY": "", "JAVA_HOME": "jvm", "TRICKY": r"a\1$0 ${SET} <file:x.txt>", "DIR": "sub"}


def substituted(value: Any, directory: Path = Path()) -> Any:
    problems: list[Any] = []
    result = substitute(value, environment=ENVIRONMENT, directory=directory, problems=problems, locate=nowhere)
    assert problems == []
    return result


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${SET}", "value"),
        ("a ${SET} b ${SET:-x}", "a value b value"),
        ("${EMPTY:-x}", ""),
        ("${UNSET:-d}", "d"),
        ("${UNSET:-}", ""),
        ("${UNSET:-http://host:80}", "http://host:80"),
        ("${UNSET}", "${UNSET}"),
        ("${set:-lower}", "lower"),
        ("${secrets.a.b} ${globals.c}", "${secrets.a.b} ${globals.c}"),
        ("plain", "plain"),
    ],
)
def test_environment_variables_and_defaults(text: str, value: str) -> None:
    assert substituted(text) == value


def test_what_was_put_in_is_not_looked_at_again() -> None:
    assert substituted("<${TRICKY}>") == r"<a\1$0 ${SET} <file:x.txt>>"


def test_values_stay_text_and_keys_stay_as_they_are() -> None:
    assert substituted({"${SET}": ["${UNSET:-5}", 5, None, True]}) == {"${SET}": ["5", 5, None, True]}


def test_files_are_put_in_by_their_ending(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("the text $1 \\n ${SET}")
    (tmp_path / "x.JSON").write_text('{"a": 1}')
    (tmp_path / "x.bin").write_bytes(b"\x01\x02\x03")
    assert substituted(["a <file:x.txt>, <file: x.JSON >", {"k": "<file:x.bin>"}], tmp_path) == [
        'a the text $1 \\n ${SET}, {"a": 1}',
        {"k": "base64:AQID"},
    ]


def test_the_name_of_a_file_may_come_from_the_environment(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.txt").write_text("inside")
    assert substituted("<file:${DIR}/x.txt> <file:${NO:-sub}/x.txt>", tmp_path) == "inside inside"


@pytest.mark.parametrize("name", ["absent.txt", ".", "broken.txt"])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.txt").write_bytes(b"\xff\xfe\xfd")
    problems: list[Any] = []
    substitute(f"<file:{name}>", environment={}, directory=tmp_path, problems=problems, locate=nowhere)
    (problem,) = problems
    assert f"'{name}'" in problem.message
