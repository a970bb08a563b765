"""Which changes of files make a difference to `run --watch`."""

from __future__ import annotations

from pathlib import Path

import pytest

from langstream.cli.watching import relevant
from langstream.control.files import ApplicationFiles


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pipeline.yaml", True),
        ("gateways.yml", True),
        ("python/agent.py", True),
        ("python/package/data.json", True),
        ("python/__pycache__/agent.cpython-311.pyc", False),
        ("python/.agent.py.swp", False),
        ("notes.txt", False),
        ("data/topics.db", False),
        ("data/state/app/agent/counts.yaml", False),
        ("sub/pipeline.yaml", False),
    ],
)
def test_yaml_and_code_do_and_nothing_that_a_run_writes(tmp_path: Path, path: str, expected: bool) -> None:
    files = ApplicationFiles("app", tmp_path, data_directory=tmp_path / "data")
    assert bool(relevant(files, [tmp_path / path])) is expected


def test_instance_and_secrets_do_wherever_they_are(tmp_path: Path) -> None:
    application = tmp_path / "application"
    application.mkdir()
    files = ApplicationFiles("app", application, instance=tmp_path / "i.yaml", secrets=tmp_path / "s.yaml")
    changed = [tmp_path / "i.yaml", tmp_path / "s.yaml", tmp_path / "other.yaml"]
    assert relevant(files, changed) == changed[:2]
