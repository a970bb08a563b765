"""Names by which brokers know a client: one user at a time on a host, and free when a process dies."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from langstream.topics.kafka.names import Names

TAKE = """
import sys
from langstream.topics.kafka.names import Names
names = Names()
print(names.take(sys.argv[1]), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def wanted() -> str:
    return f"{uuid.uuid4()}-0"


@pytest.fixture
def other(wanted: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has taken the name."""
    command = [sys.executable, "-c", TAKE, wanted]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == wanted
        yield process
        process.kill()


def test_names_are_numbered_and_free_again_when_given_back(wanted: str) -> None:
    names = Names()
    stem = wanted.removesuffix("-0")
    assert [names.take(wanted), names.take(wanted)] == [wanted, f"{stem}-1"]
    names.give_back(wanted)
    assert names.take(wanted) == wanted


def test_another_process_has_another_name(wanted: str, other: subprocess.Popen[str]) -> None:
    assert Names().take(wanted) == wanted.removesuffix("0") + "1"


def test_the_name_of_a_killed_process_is_taken_up(wanted: str, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()
    assert Names().take(wanted) == wanted
