"""Start-up follows what is used: a command imports what it needs, and no library of agents that do not run."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import atexit, sys
atexit.register(lambda: print("modules:", *sys.modules, file=sys.stderr))
from langstream.cli.main import main
main(sys.argv[1:])
"""
HEAVY = {
    "aiohttp",
    "anthropic",
    "asyncpg",
    "boto3",
    "confluent_kafka",
    "duckdb",
    "fastavro",
    "httpx",
    "jwt",
    "kreuzberg",
    "numpy",
    "onnxruntime",
    "openai",
    "pygments",
    "requests",
    "rich",
    "tokenizers",
}
PIPELINE = """\
topics:
- {name: in, creation-mode: create-if-not-exists}
- {name: out, creation-mode: create-if-not-exists}
pipeline:
- type: compute
  input: in
  output: out
  configuration:
    fields:
    - {name: value.text, expression: "fn:uppercase(value.text)"}
"""


def langstream(*arguments: str) -> list[str]:
    """The command, which at its end tells on standard error what it imported."""
    return [sys.executable, "-c", COMMAND, *arguments]


def imported(errors: str) -> set[str]:
    """What a command imported: modules, and the packages at the root of their names."""
    modules = set(errors.rpartition("modules:")[2].split())
    return modules | {module.partition(".")[0] for module in modules}


@pytest.fixture
def application(tmp_path: Path) -> Path:
    directory = tmp_path / "application"
    directory.mkdir()
    (directory / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    return directory


def test_help_imports_neither_models_nor_servers() -> None:
    done = subprocess.run(langstream("--help"), capture_output=True, text=True, check=True)
    assert "click" in imported(done.stderr)
    assert not imported(done.stderr) & (HEAVY | {"pydantic", "yaml", "starlette", "uvicorn", "prometheus_client"})


def test_a_plan_imports_no_server(application: Path) -> None:
    command = langstream("plan", "small", "-app", str(application))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "langstream.agents.transform.compute" in imported(done.stderr)
    assert not imported(done.stderr) & (HEAVY | {"starlette", "uvicorn", "prometheus_client", "apsw"})


def test_a_small_application_runs_without_the_libraries_of_others(application: Path, tmp_path: Path) -> None:
    options = ["--ephemeral", "--gateway-port", "0", "--control-port", "0"]
    command = langstream("run", "small", "-app", str(application), *options)
    log = tmp_path / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout is not None
        assert "small is running" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    names = imported(log.read_text(encoding="utf-8"))
    assert "langstream.agents.transform.compute" in names
    assert not names & (HEAVY | {"apsw", "langstream.agents.ai", "langstream.topics.embedded"})
