"""A running application, seen through its front door: the command line and the gateway."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from websockets.sync.client import ClientConnection, connect

from tests.servers.ports import free_port

LANGSTREAM = str(Path(sys.executable).parent / "langstream")


class RunningApp:
    """`langstream run` as a child process, ready when constructed."""

    def __init__(self, directory: Path, *options: str, name: str = "app", log: Path, wait_seconds: float = 60) -> None:
        self.name = name
        self.port = free_port()
        self.control_port = free_port()
        self.log = log
        command = [
            LANGSTREAM, "run", name, "-app", str(directory), "--gateway-port", str(self.port),
            "--control-port", str(self.control_port), *options,
        ]  # fmt: skip
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent, start_new_session=True
            )
        self._wait(wait_seconds)

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"exited with {self.process.returncode}:\n{self.log.read_text()}")
            try:
                if self.get("/management/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"not ready:\n{self.log.read_text()}")

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, port: int | None = None
    ) -> tuple[int, str]:
        """Status and text of an HTTP request; structures are sent as JSON, texts as text."""
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        content = {"Content-Type": "text/plain" if isinstance(body, str) else "application/json"} if data else {}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port or self.port}{path}", data, {**content, **(headers or {})}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def get(self, path: str, port: int | None = None) -> tuple[int, str]:
        """A GET request to the gateway, or another port."""
        return self.request("GET", path, port=port)

    def produce(self, gateway: str, value: Any, key: Any = None, headers: dict[str, str] | None = None) -> None:
        """Send one record through a produce gateway."""
        message = {"key": key, "value": value, "headers": headers or {}}
        status, text = self.request("POST", f"/api/gateways/produce/default/{self.name}/{gateway}", message)
        assert status == 200, text

    def socket(self, kind: str, gateway: str, **query: str) -> ClientConnection:
        """A WebSocket to a gateway; `position` and parameters are given with their prefixes."""
        suffix = f"?{urlencode(query)}" if query else ""
        url = f"ws://127.0.0.1:{self.port}/v1/{kind}/default/{self.name}/{gateway}{suffix}"
        return connect(url, max_size=None, compression=None)

    def consume(
        self, gateway: str, count: int, position: str = "earliest", seconds: float = 60
    ) -> list[dict[str, Any]]:
        """The first `count` frames of a consume gateway."""
        with self.socket("consume", gateway, **{"option:position": position}) as socket:
            return [json.loads(socket.recv(timeout=seconds)) for _ in range(count)]

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        self.process.terminate()
        return self.process.wait(40)

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
