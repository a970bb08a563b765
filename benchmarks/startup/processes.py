"""Starting a process and seeing what it takes: wall-clock time, time on the processor, memory at its peak."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one start. `cpu` is None where the system does not tell."""

    seconds: float
    cpu: float | None
    megabytes: float


def free_port() -> int:
    """A port of the loopback interface nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def surroundings(bytecode: Path | None) -> dict[str, str]:
    """The environment of a measured process: compiled modules are kept in that directory, or (None) nowhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | ({"PYTHONPYCACHEPREFIX": str(bytecode)} if bytecode else {"PYTHONDONTWRITEBYTECODE": "1"})


def cost_of_command(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Cost:
    """Run to the end. Raises RuntimeError if the command fails."""
    started = time.perf_counter()
    process = _begin(command, directory, environment)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def cost_of_server(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], port: int, path: str
) -> Cost:
    """Run until `path` answers 200; memory is read after the process has been idle for a moment; then it is ended."""
    started = time.perf_counter()
    process = _begin(command, directory, environment)
    try:
        while not answers(port, path):
            if process.poll() is not None:
                raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode} before it was ready")
            time.sleep(0.002)
        seconds, cpu = time.perf_counter() - started, cpu_seconds(process.pid)
        time.sleep(0.3)
        return Cost(seconds, cpu, peak_megabytes(process.pid))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _begin(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=directory, env=environment, stdout=quiet, stderr=quiet)


def answers(port: int, path: str) -> bool:
    """Whether a GET of the path is answered with 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            return client.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def cpu_seconds(pid: int) -> float | None:
    """Time all threads of a living process spent on a processor so far."""
    try:
        return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except OSError:
        return None


def peak_megabytes(pid: int) -> float:
    """The most memory a living process ever held (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("the system does not tell the peak memory of a process")
