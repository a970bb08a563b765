"""Client commands that go on until somebody ends them, as processes; and the live status, on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.apps.application import LANGSTREAM, RunningApp
from tests.cli.conftest import write_talking
from tests.servers.ports import free_port


def addresses(app: RunningApp) -> list[str]:
    return ["--url", f"ws://127.0.0.1:{app.port}", "--web-service-url", f"http://127.0.0.1:{app.control_port}"]


@pytest.mark.parametrize("protocol", ["ws", "http"])
def test_an_interrupt_ends_a_consumer_cleanly(app: RunningApp, protocol: str) -> None:
    command = [LANGSTREAM, "gateway", "consume", "talking", "out", "--protocol", protocol, *addresses(app)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Connected to ")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""


def test_an_interrupt_ends_a_follower_of_a_topic_cleanly(app: RunningApp) -> None:
    app.produce("in", "x")
    command = [LANGSTREAM, "topics", "consume", "answers", "--follow", "--data-dir", str(app.log.parent / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith('{"partition":0')
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(30) == 0


@pytest.mark.parametrize("protocol", ["ws", "http"])
def test_a_consumer_of_a_stopped_application_fails_in_one_line(tmp_path: Path, protocol: str) -> None:
    app = RunningApp(write_talking(tmp_path), "--ephemeral", "--no-ui", name="talking", log=tmp_path / "run.log")
    command = [LANGSTREAM, "gateway", "consume", "talking", "out", "--protocol", protocol, *addresses(app)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Connected to ")
        assert app.stop() == 0
        assert process.wait(30) == 1
        assert process.stderr.read().startswith("Error: the gateway closed the connection: the application was stopped")


_SCREEN = {"TERM": "xterm", "COLUMNS": "120"}


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        )
        os.close(theirs)
        self.shown = ""

    def wait_for(self, pattern: str) -> None:
        """Returns when the text without its control sequences matches."""
        deadline = time.monotonic() + 40
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, self.shown
            ready, _, _ = select.select([self._ours], [], [], 0.1)
            if ready:
                text = os.read(self._ours, 1 << 16).decode("utf-8", "replace")
                self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)


def test_on_a_terminal_the_status_of_every_node_is_kept_up_to_date(tmp_path: Path) -> None:
    directory = write_talking(tmp_path)
    port = free_port()
    command = [LANGSTREAM, "run", "talking", "-app", str(directory), "--ephemeral", "--watch"]
    terminal = Terminal([*command, "--gateway-port", str(port), "--control-port", "0"], tmp_path)
    try:
        terminal.wait_for(r"talker\s+running\s+0 in\s+0/s\s+lag \S+\s+0 errors")
        url = ["--url", f"ws://127.0.0.1:{port}"]
        subprocess.run([LANGSTREAM, "gateway", "produce", "talking", "in", "-v", "x", *url], check=True, timeout=60)
        terminal.wait_for(r"talker\s+running\s+1 in")
        code = directory / "python/talker.py"
        code.write_text(code.read_text() + "\n# changed\n")
        terminal.wait_for(r"INFO\s+langstream.run: code changed: talker.py; starting the nodes again\s*\r\n")
        terminal.process.send_signal(signal.SIGINT)
        terminal.wait_for("Stopped.")
        assert terminal.process.wait(30) == 0
    finally:
        terminal.close()


def test_a_conversation_on_a_terminal_is_prompted_for_and_acknowledged(app: RunningApp, tmp_path: Path) -> None:
    terminal = Terminal([LANGSTREAM, "gateway", "chat", "talking", "-g", "talk", *addresses(app)], tmp_path)
    try:
        terminal.wait_for("> $")
        terminal.type("hello\n")
        terminal.wait_for("✅\r\nYou said hello\r\n> $")
        terminal.type("\x04")
        assert terminal.process.wait(30) == 0
    finally:
        terminal.close()
