"""A headless Chromium, driven through its debugging protocol: just enough to use a page as people do."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--window-size=1200,800",     "--remote-debugging-port=0",
)  # fmt: skip


class Browser:
    """The process."""

    def __init__(self, directory: Path) -> None:
        assert CHROMIUM is not None
        self._directory = directory
        self._process = subprocess.Popen(
            [CHROMIUM, *_OPTIONS, f"--user-data-dir={directory}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._port = self._debugging_port()

    def _debugging_port(self) -> int:
        file = self._directory / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if file.exists() and (lines := file.read_text().splitlines()):
                return int(lines[0])
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        self.close()
        raise AssertionError("Chromium did not start")

    def open(self, url: str) -> Page:
        """A new tab."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as response:
            target = json.load(response)
        page = Page(target["webSocketDebuggerUrl"])
        page.go(url)
        return page

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Page:
    """One tab."""

    def __init__(self, url: str) -> None:
        self._stack = ExitStack()
        self._connection = self._stack.enter_context(connect(url, max_size=None, compression=None, proxy=None))
        self._ids = itertools.count(1)
        self.errors: list[str] = []
        """Uncaught errors, and what the console was told of: refused scripts and styles too."""
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def go(self, url: str) -> None:
        """Load an address."""
        self._call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression; promises are awaited."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 30) -> None:
        """Returns as soon as an expression is true."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.evaluate(f"Boolean({expression})"):
                return
            time.sleep(0.05)
        raise AssertionError(f"{expression} did not become true; the page shows:\n{self.text('body')}\n{self.errors}")

    def text(self, selector: str) -> str:
        """What is shown inside an element."""
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        """Click an element."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).click()")

    def choose(self, selector: str, label: str) -> None:
        """Choose the option with this label."""
        self.evaluate(
            f"""(() => {{
                const select = document.querySelector({json.dumps(selector)});
                select.value = [...select.options].find((each) => each.text === {json.dumps(label)}).value;
                select.dispatchEvent(new Event("change", {{bubbles: true}}));
            }})()"""
        )

    def type(self, selector: str, text: str, *, enter: bool = False) -> None:
        """Type into a field, as a keyboard does."""
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self._call("Input.insertText", text=text)
        if enter:
            key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
            self._call("Input.dispatchKeyEvent", type="rawKeyDown", **key)
            self._call("Input.dispatchKeyEvent", type="keyUp", **key)

    def close(self) -> None:
        """Close the connection to the tab."""
        self._stack.close()

    def _call(self, method: str, **parameters: Any) -> Any:
        number = next(self._ids)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=60))
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._notice(message)

    def _notice(self, message: Any) -> None:
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(message["params"]["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.errors.append(str(message["params"]["entry"]))
