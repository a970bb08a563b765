"""Asking through a chat gateway, and listening to streamed answers."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from typing import Any

from tests.apps.application import RunningApp


def ask(app: RunningApp, gateway: str, question: str, **parameters: str) -> str:
    """The streamed answer of a chat gateway, put together; its pieces are in order and the last one is marked."""
    query = {f"param:{name}": value for name, value in parameters.items()}
    with app.socket("chat", gateway, **query) as socket:
        socket.send(json.dumps({"value": question}))
        return listen(socket)


def ask_until(app: RunningApp, gateway: str, question: str, found: str, **parameters: str) -> str:
    """Ask again until the answer has what was just written: it takes a moment."""
    deadline = time.monotonic() + 60
    while found not in (answer := ask(app, gateway, question, **parameters)):
        assert time.monotonic() < deadline, f"{found!r} never came: {answer}\n{app.log.read_text()}"
        time.sleep(0.1)
    return answer


def listen(socket: Any) -> str:
    """One whole streamed answer from a socket.

    Pieces are sent at once, outside of transactions. So the end of an answer that came again may be heard first, where
    its record was read a second time: it does not begin with piece 1, and whoever waits for an answer passes over it.
    """
    streams: dict[str, list[str]] = defaultdict(list)
    while True:
        frame = json.loads(socket.recv(timeout=60))
        if "record" not in frame:
            assert frame["status"] == "OK", frame
            continue
        headers = frame["record"]["headers"]
        pieces, index = streams[headers["stream-id"]], int(headers["stream-index"])
        if not pieces and index > 1:
            continue
        pieces.append(str(frame["record"]["value"]))
        assert index == len(pieces), f"piece {index} came after {len(pieces) - 1} others: {pieces}"
        if headers["stream-last-message"] == "true":
            return "".join(pieces)
