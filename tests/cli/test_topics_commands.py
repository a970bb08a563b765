"""`langstream topics …` on the data directory of an application that runs, and of one that does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.apps.application import RunningApp
from tests.cli.conftest import write_talking
from tests.cli.terminal import langstream


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of an application that ran and was stopped."""
    directory = tmp_path_factory.mktemp("stopped")
    app = RunningApp(
        write_talking(directory), "--data-dir", str(directory / "data"), "--no-ui", log=directory / "run.log"
    )
    assert app.stop() == 0
    return directory / "data"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_topics_are_listed(stopped: Path) -> None:
    answer = langstream("topics", "list", "--data-dir", str(stopped))
    assert answer.status == 0, answer.err
    header, *rows = answer.out.splitlines()
    assert header.split() == ["TOPIC", "PARTITIONS", "RECORDS", "BYTES"]
    assert [row.split()[0] for row in rows] == ["answers", "questions", "questions-deadletter"]
    listed = langstream("topics", "--data-dir", str(stopped), "list", "-o", "json")
    assert [topic["name"] for topic in json.loads(listed.out)] == ["answers", "questions", "questions-deadletter"]


def test_records_are_written_and_read_from_any_position(stopped: Path) -> None:
    where = ["--data-dir", str(stopped)]
    wrote = langstream("topics", "produce", "answers", "-v", "-", "-k", "k", "--header", "a=b", *where, stdin="x\ny\n")
    assert wrote.out == "2 records written to answers\n"
    first, second = lines(langstream("topics", "consume", "answers", *where).out)
    assert (first["key"], first["value"], first["headers"]) == ("k", "x", {"a": "b"})
    after = langstream("topics", "consume", "answers", "--position", first["position"], *where)
    assert lines(after.out) == [second]
    assert len(lines(langstream("topics", "consume", "answers", "-n", "1", *where).out)) == 1


def test_a_running_application_gets_what_is_written(app: RunningApp) -> None:
    where = ["--data-dir", str(app.log.parent / "data")]
    assert langstream("topics", "produce", "questions", "-v", "from outside", *where).status == 0
    with app.socket("consume", "out", **{"option:position": "earliest"}) as socket:
        while json.loads(socket.recv(timeout=30))["record"]["value"] != "from outside":
            pass
    read = langstream("topics", "consume", "answers", *where)
    assert "from outside" in [line["value"] for line in lines(read.out)]


def test_a_misspelt_topic_is_told_with_a_guess(stopped: Path) -> None:
    for command in (["consume", "answrs"], ["produce", "answrs", "-v", "x"]):
        answer = langstream("topics", *command, "--data-dir", str(stopped))
        assert answer.status == 1
        assert answer.err == "Error: there is no topic 'answrs'. Did you mean 'answers'?\n"


def test_a_data_directory_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    answer = langstream("topics", "list", "--data-dir", str(tmp_path / "none"))
    assert answer.status == 1
    assert "does not exist" in answer.err
    assert not (tmp_path / "none").exists()
    (tmp_path / "empty").mkdir()
    answer = langstream("topics", "list", "--data-dir", str(tmp_path / "empty"))
    assert "holds no topics" in answer.err
    assert list((tmp_path / "empty").iterdir()) == []


def test_an_instance_file_names_the_directory(stopped: Path, tmp_path: Path) -> None:
    instance = tmp_path / "instance.yaml"
    instance.write_text(
        f"instance: {{streamingCluster: {{type: embedded, configuration: {{directory: '{stopped}'}}}}}}"
    )
    assert langstream("topics", "list", "-i", str(instance)).status == 0
    instance.write_text("instance: {streamingCluster: {type: memory}}")
    answer = langstream("topics", "list", "-i", str(instance))
    assert answer.status == 1
    assert "in the memory of the process" in answer.err


def test_a_wrong_position_is_refused(stopped: Path) -> None:
    answer = langstream("topics", "consume", "answers", "--position", "so on", "--data-dir", str(stopped))
    assert answer.status == 1
    assert "'so on' is not a position" in answer.err
