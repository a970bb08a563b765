"""Asking an application that answers from a store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.apps.application import RunningApp
from tests.apps.catalogue.conftest import structures


class Answers:
    """Asks until the answer is as expected: what was written can be found a moment later."""

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._asked = 0

    def until(self, question: dict[str, Any], expected: Callable[[Any], bool]) -> Any:
        """What was found, once it is as expected."""
        deadline = time.monotonic() + 60
        while True:
            self._app.produce("questions", question)
            self._asked += 1
            found = structures(self._app.consume("answers", self._asked))[-1]["found"]
            if expected(found):
                return found
            assert time.monotonic() < deadline, f"{found}\n{self._app.log.read_text()[-3000:]}"
            time.sleep(0.2)
