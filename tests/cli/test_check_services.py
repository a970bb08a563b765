"""`langstream validate --check-services`, as a terminal sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


def test_without_the_option_nothing_is_asked(tmp_path: Path) -> None:
    assert "can be used" not in validate(tmp_path).stdout
