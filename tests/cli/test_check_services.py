"""`langstream validate --check-services`, as a terminal sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.apps.catalogue.thinking import Loop, Pages
from tests.services.ai.fake_server import Reply

LANGSTREAM = str(Path(sys.executable).parent / "langstream")

CONFIGURATION = {
    "configuration": {
        "resources": [
            {
                "type": "datasource",
                "name": "Here",
                "configuration": {"service": "jdbc", "driverClass": "d", "url": "jdbc:herddb:here"},
            }
        ]
    }
}


def validate(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command on an application with one database of this process."""
    (directory / "configuration.yaml").write_text(json.dumps(CONFIGURATION))
    (directory / "pipeline.yaml").write_text("pipeline: []\n")
    command = [LANGSTREAM, "validate", "app", "-app", str(directory), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=directory, check=False)


def test_services_that_can_be_used_are_listed(tmp_path: Path) -> None:
    done = validate(tmp_path, "--check-services")
    assert done.returncode == 0, done.stderr
    assert "Datasource 'Here' (service: 'jdbc') can be used." in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"configuration.yaml", "pipeline.yaml"}


def test_a_service_that_cannot_be_used_makes_the_command_fail(tmp_path: Path) -> None:
    instance = tmp_path / "instance.yaml"
    application = tmp_path / "application"
    application.mkdir()
    cluster = {"type": "kafka", "configuration": {"admin": {"bootstrap.servers": "127.0.0.1:9"}}}
    instance.write_text(json.dumps({"instance": {"streamingCluster": cluster}}))
    done = validate(application, "-i", str(instance), "--check-services")
    assert done.returncode == 1
    assert "Datasource 'Here' (service: 'jdbc') can be used." in done.stdout
    assert "1 problem with services." in done.stderr
    assert "instance.yaml" in done.stderr
    assert "The streaming cluster (type: 'kafka')" in done.stderr


def models(request: Mapping[str, Any]) -> Reply:
    """A service of OpenAI's protocol with one key and one model."""
    if request["headers"].get("authorization") != "Bearer sk-the-right-one":
        return Reply(status=401, body={"error": {"message": "Incorrect API key", "code": "invalid_api_key"}})
    return Reply(body={"data": [{"id": "gpt-4o"}]})


@pytest.fixture
def service() -> Iterator[str]:
    """The address of that service."""
    loop, server = Loop(), Pages(models)
    loop.serve(server)
    yield server.url
    loop.close()


@pytest.mark.parametrize(
    ("key", "model", "told"),
    [
        ("sk-the-right-one", "gpt-4o", "AI resource 'AI' (type: 'open-ai-configuration') can be used."),
        (
            "sk-the-wrong-one",
            "gpt-4o",
            "configuration.yaml:3:7: AI resource 'AI' (type: 'open-ai-configuration') does not",
        ),
        ("sk-the-right-one", "gpt-4", "the service has no model 'gpt-4'. Did you mean 'gpt-4o'?"),
    ],
)
def test_a_wrong_key_and_a_wrong_model_are_told_apart(
    tmp_path: Path, service: str, key: str, model: str, told: str
) -> None:
    (tmp_path / "configuration.yaml").write_text(
        f"""configuration:
  resources:
    - type: open-ai-configuration
      name: AI
      configuration: {{url: "{service}/v1", access-key: "{key}"}}
"""
    )
    (tmp_path / "pipeline.yaml").write_text(
        f"""topics: [{{name: in, creation-mode: create-if-not-exists}}]
pipeline:
  - type: ai-chat-completions
    input: in
    configuration: {{model: {model}, messages: [{{role: user, content: "x"}}]}}
"""
    )
    command = [LANGSTREAM, "validate", "app", "-app", str(tmp_path), "--check-services"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=False)
    assert told in done.stdout + done.stderr
    assert done.returncode == (0 if told.endswith("can be used.") else 1)
    assert key not in done.stdout + done.stderr


def test_without_the_option_nothing_is_asked(tmp_path: Path) -> None:
    assert "can be used" not in validate(tmp_path).stdout
