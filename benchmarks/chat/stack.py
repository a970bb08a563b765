"""The processes of a chat benchmark: a model server, and `langstream run` of the chat application on top of it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
LANGSTREAM = str(Path(sys.executable).with_name("langstream"))


@dataclass(frozen=True, slots=True)
class Product:
    """A running `langstream run`."""

    port: int
    pid: int

    def chat_url(self, session: str) -> str:
        """The chat gateway for one session."""
        return f"ws://127.0.0.1:{self.port}/v1/chat/default/chat/chat?param:session-id={session}"

    def peak_megabytes(self) -> float:
        """The most memory the process ever held."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024

    def cpu_seconds(self) -> float:
        """Processor time of all its threads so far."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text(encoding="utf-8").split()[0]) for task in tasks) / 1e9


@contextmanager
def model_server(*, delay: float, chunks: int, pause: float) -> Iterator[str]:
    """Its base address."""
    arguments = ["--delay", str(delay), "--chunks", str(chunks), "--pause", str(pause)]
    command = [sys.executable, str(HERE / "model_server.py"), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def product(model: str, *, ephemeral: bool, chunks_per_message: int) -> Iterator[Product]:
    """`langstream run` in a directory where nothing is; ready when its health page says so."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as directory:
        instance = Path(directory) / "instance.yaml"
        instance.write_text(
            f"instance:\n  globals:\n    model-server: {model}\n    chunks-per-message: {chunks_per_message}\n",
            encoding="utf-8",
        )
        ports = ["--gateway-port", str(port), "--control-port", str(_free_port())]
        command = [LANGSTREAM, "run", "chat", "-app", str(HERE / "application"), "-i", str(instance), *ports]
        log = Path(directory) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command + (["--ephemeral"] if ephemeral else []), cwd=directory, stdout=output, stderr=output
            )
            try:
                _wait_until_ready(port, process, log)
                yield Product(port, process.pid)
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(60)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/management/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"langstream run ended before it was ready:\n{log.read_text(encoding='utf-8')}")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
