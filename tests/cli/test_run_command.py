"""`langstream run` as a process: ports, signals, warnings, refusals."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.apps.application import LANGSTREAM, RunningApp
from tests.cli.conftest import write_talking
from tests.servers.ports import free_port

SLEEPER = {
    "pipeline.yaml": """
        topics: [{name: in, creation-mode: create-if-not-exists}]
        pipeline: [{type: python-sink, id: sleeper, input: in, configuration: {className: sleeper.Sleeper}}]
    """,
    "gateways.yaml": "gateways: [{id: in, type: produce, topic: in}]",
    "python/sleeper.py": """
        import time
        class Sleeper:
            def write(self, record):
                print("asleep", flush=True)
                time.sleep(1000)
    """,
}


def write(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / "application" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return directory / "application"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Any]:
    started: list[RunningApp] = []

    def run(directory: Path, *options: str, **settings: Any) -> RunningApp:
        app = RunningApp(directory, *options, log=tmp_path / "run.log", **settings)
        started.append(app)
        return app

    yield run
    for app in started:
        app.kill()


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A run that is expected to end by itself."""
    return subprocess.run(
        [LANGSTREAM, "run", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
    )


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_a_port_in_use_is_told_before_anything_is_started(tmp_path: Path) -> None:
    directory = write_talking(tmp_path)
    for option in ("--gateway-port", "--control-port"):
        other = "--control-port" if option == "--gateway-port" else "--gateway-port"
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            ended = run("-app", str(directory), option, str(port), other, "0", cwd=tmp_path)
        assert ended.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}: address already in use. Choose another {option}" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert not (tmp_path / ".langstream").exists()


def test_gateway_and_page_cannot_share_a_port(tmp_path: Path) -> None:
    port = str(free_port())
    ended = run("-app", str(write_talking(tmp_path)), "--gateway-port", port, "--control-port", port, cwd=tmp_path)
    assert ended.returncode == 1
    assert "cannot share port" in ended.stderr


def test_sigterm_ends_a_run_cleanly(start: Any, tmp_path: Path) -> None:
    app = start(write_talking(tmp_path), "--ephemeral", "--no-ui")
    assert app.stop() == 0
    assert app.log.read_text().endswith("Stopping …\nStopped.\n")


def test_one_interrupt_ends_a_run_cleanly(start: Any, tmp_path: Path) -> None:
    app = start(write_talking(tmp_path), "--ephemeral")
    app.process.send_signal(signal.SIGINT)
    assert app.process.wait(30) == 0


def test_a_second_interrupt_ends_a_stuck_run_at_once(start: Any, tmp_path: Path) -> None:
    app = start(write(tmp_path, SLEEPER), "--ephemeral", "--no-ui")
    app.produce("in", "x")
    wait_until(lambda: "asleep" in app.log.read_text())
    app.process.send_signal(signal.SIGINT)
    wait_until(lambda: "Stopping" in app.log.read_text())
    app.process.send_signal(signal.SIGINT)
    assert app.process.wait(30) == -signal.SIGINT


def test_a_refused_application_is_told_before_the_runtime_is_imported(tmp_path: Path) -> None:
    directory = write(tmp_path, {"pipeline.yaml": "pipeline: [{type: computee}]"})
    program = (
        "import sys\nfrom langstream.cli.main import main\n"
        f"try: main(['run', '-app', {str(directory)!r}])\n"
        "except SystemExit as end: assert end.code == 1\n"
        "heavy = ('langstream.runtime', 'langstream.gateway.', 'langstream.deploy', 'uvicorn', 'aiohttp')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert "pipeline.yaml:1:" in ended.stderr
    assert "Did you mean 'compute'?" in ended.stderr
    assert ended.stdout == "[]\n"


def test_an_open_address_is_warned_of(start: Any, tmp_path: Path) -> None:
    app = start(write_talking(tmp_path), "--ephemeral", "--no-ui", "--host", "0.0.0.0")
    assert "Warning: listening on 0.0.0.0. Everyone who can reach this machine" in app.log.read_text()
    wait_until(lambda: f"http://127.0.0.1:{app.port}/management/health" in app.log.read_text())


def test_warnings_of_the_plan_are_told_once(start: Any, tmp_path: Path) -> None:
    idle = {"pipeline.yaml": "pipeline: [{type: log-event, id: idle}]"}
    app = start(write(tmp_path, idle), "--ephemeral", "--no-ui")
    assert app.stop() == 0
    assert app.log.read_text().count("it will never get a record") == 1
    ended = subprocess.run(
        [LANGSTREAM, "validate", "-app", str(tmp_path / "application")], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0
    assert "Warning: pipeline.yaml:1:" in ended.stderr


def test_a_second_run_on_the_same_data_is_told_and_shares_the_work(start: Any, tmp_path: Path) -> None:
    directory = write_talking(tmp_path)
    data = ("--data-dir", str(tmp_path / "data"), "--no-ui")
    first = start(directory, *data, name="talking")
    second = start(directory, *data, name="talking")
    told = f"talking already runs on {tmp_path / 'data'} (process {first.process.pid})"
    assert told in second.log.read_text()
    second.produce("in", "shared")
    assert first.consume("out", 3)[2]["record"]["value"] == "shared"


def test_settings_of_the_gateway_come_from_a_file(start: Any, tmp_path: Path) -> None:
    settings = tmp_path / "gateway.yaml"
    settings.write_text("application: {gateways: {limits: {max-body-bytes: 10}}}")
    app = start(write_talking(tmp_path), "--ephemeral", "--no-ui", "--gateway-settings", str(settings))
    path = f"/api/gateways/produce/default/{app.name}/in"
    assert app.request("POST", path, "short")[0] == 200
    assert app.request("POST", path, "longer than ten")[0] == 413


def test_wrong_settings_of_the_gateway_refuse_the_run(tmp_path: Path) -> None:
    settings = tmp_path / "gateway.yaml"
    settings.write_text("application:\n  gateways:\n    limits: {max-conections: 1}\n")
    ended = run("-app", str(write_talking(tmp_path)), "--gateway-settings", str(settings), cwd=tmp_path)
    assert ended.returncode == 1
    assert "gateway.yaml:3:14" in ended.stderr
    assert "Did you mean 'max-connections'?" in ended.stderr


def test_a_change_that_is_refused_leaves_the_application_running(start: Any, tmp_path: Path) -> None:
    directory = write_talking(tmp_path)
    app = start(directory, "--ephemeral", "--no-ui", "--watch")
    pipeline = directory / "pipeline.yaml"
    right = pipeline.read_text()
    pipeline.write_text(right.replace("python-processor", "python-procesor"))
    wait_until(lambda: "the changed application is refused" in app.log.read_text())
    app.produce("in", "still here")
    assert app.consume("out", 3)[2]["record"]["value"] == "still here"
    pipeline.write_text(right.replace("id: talker", "id: speaker"))
    wait_until(lambda: "the change is in effect" in app.log.read_text())
    app.produce("in", "renamed")
    wait_until(lambda: '"speaker"' in app.get("/api/applications/default/app", port=app.control_port)[1])


def test_a_directory_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    ended = run("-app", str(tmp_path / "nowhere"), cwd=tmp_path)
    assert ended.returncode == 2
    assert "does not exist" in ended.stderr
