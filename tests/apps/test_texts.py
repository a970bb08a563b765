"""Documents in a running application: one that hurts is one failed record, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil

from tests.apps.application import RunningApp
from tests.apps.place import Place

FILES = {
    "pipeline.yaml": """
        topics:
          - {name: in, creation-mode: create-if-not-exists}
          - {name: out, creation-mode: create-if-not-exists}
          - {name: in-deadletter, creation-mode: create-if-not-exists}
        errors: {on-failure: dead-letter, retries: 0}
        pipeline:
          - {type: text-extractor, input: in}
          - {type: text-normaliser, configuration: {make-lowercase: false}}
          - type: text-splitter
            output: out
            configuration: {chunk_size: 50, chunk_overlap: 0, length_function: length}
    """,
    "gateways.yaml": """
        gateways:
          - {id: in, type: produce, topic: in}
          - {id: out, type: consume, topic: out}
          - {id: failed, type: consume, topic: in-deadletter}
    """,
}

ENDLESS = "<html><body>" + "<div>" * 100_000 + "deep"
"""It takes the parser minutes."""


def workers(app: RunningApp) -> list[psutil.Process]:
    """The processes of the application that read documents."""
    return [
        process
        for process in psutil.Process(app.process.pid).children()
        if "langstream.agents.text.worker" in process.cmdline()
    ]


def until(condition: Callable[[], Any]) -> None:
    """Wait for something that nobody announces."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_document_whose_process_dies_is_one_dead_letter(write: Any, place: Place) -> None:
    app = place.run(write(FILES))
    app.produce("in", ENDLESS)
    app.produce("in", "<html><body><p>" + "later " * 10_000)
    until(lambda: any(worker.cpu_times().user > 0.5 for worker in workers(app)))
    busiest = max(workers(app), key=lambda worker: worker.cpu_times().user)
    busiest.kill()
    (failed,) = app.consume("failed", 1, seconds=60)
    assert any("its process was ended" in text for text in failed["record"]["headers"].values())
    assert app.consume("out", 1)[0]["record"]["value"].startswith("later later")


def test_a_node_that_is_killed_takes_its_processes_with_it(write: Any, place: Place) -> None:
    app = place.run(write(FILES))
    app.produce("in", "a text before it")
    app.consume("out", 1)
    app.produce("in", ENDLESS)
    until(lambda: workers(app))
    (worker,) = workers(app)
    os.kill(app.process.pid, signal.SIGKILL)
    app.process.wait()
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
