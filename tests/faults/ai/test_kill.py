"""A process is killed (SIGKILL) in the middle of completions, again and again, against a model that counts.

No answer that had arrived may be asked for again, and every question has exactly one answer in the end. Every other
kill comes when the model has written nothing for as long as the answers took to reach the journal; the others come at
any moment, and what counts as arrived is then what is on the dead process's disk. `LANGSTREAM_KILLS=200` makes it
longer.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

import apsw
import pytest

from langstream.records import SimpleRecord
from langstream.topics.contract import TopicSpec
from langstream.topics.embedded import open_cluster
from langstream.topics.local.cluster import LocalCluster
from tests.faults.ai.model_server import ModelServer

KILLS = int(os.environ.get("LANGSTREAM_KILLS", "6"))
QUESTIONS = 10
"""New ones per kill."""
PATIENCE_SECONDS = 60

PIPELINE = """
topics:
- {name: in, creation-mode: create-if-not-exists, partitions: 3}
- {name: out, creation-mode: create-if-not-exists}
pipeline:
- id: chat
  type: ai-chat-completions
  input: in
  output: out
  configuration:
    model: counting
    completion-field: value.answer
    messages: [{role: user, content: "ask {{ value.n }}"}]
"""
CONFIGURATION = """
configuration:
  resources:
  - {{type: open-ai-configuration, name: model, configuration: {{access-key: "", url: "{url}", max-attempts: 1}}}}
"""


class Victim:
    """The process that is killed, a new one each time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._zygote: Process | None = None
        self._pid = 0

    async def start(self) -> None:
        if self._zygote is None:
            script = str(Path(__file__).with_name("zygote.py"))
            with (self._directory / "victim.log").open("w") as log:
                self._zygote = await asyncio.create_subprocess_exec(
                    sys.executable, script, str(self._directory), stdin=PIPE, stdout=PIPE, stderr=log
                )
        self._pid = await self._tell("start")

    async def check(self) -> None:
        """It is expected to run."""
        if await self._tell("look"):
            self._pid = 0
            raise AssertionError((self._directory / "victim.log").read_text()[-4_000:])

    async def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        await self._tell("reap")
        self._pid = 0

    async def bury(self) -> None:
        """Dead in any case, whatever became of the test."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        if self._zygote is not None:
            assert self._zygote.stdin is not None
            self._zygote.stdin.close()
            await self._zygote.wait()

    async def story(self) -> str:
        """What it logged, and what it is doing."""
        os.kill(self._pid, signal.SIGUSR1)
        await asyncio.sleep(2)
        return (self._directory / "victim.log").read_text()[-20_000:]

    async def _tell(self, word: str) -> int:
        assert self._zygote is not None
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(f"{word}\n".encode())
        return int(await self._zygote.stdout.readline())


class Answers:
    """What came out at the other end, as it comes."""

    def __init__(self, cluster: LocalCluster) -> None:
        self.numbers: list[int] = []
        self.wrong: list[str] = []
        self._reader = cluster.reader("out", "earliest")
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._reader.start()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.wait([self._reading])
        await self._reader.close()

    async def _read(self) -> None:
        while True:
            for run in await self._reader.read(1_000, 1.0):
                for record in run.records:
                    value = record.value()
                    found = re.fullmatch(r'\{"n":(\d+),"answer":"answer (\d+)"\}', value)
                    if found is None or found[1] != found[2]:
                        self.wrong.append(value)
                    else:
                        self.numbers.append(int(found[1]))


def journalled(directory: Path) -> set[int]:
    """The answers in the journal."""
    found: set[int] = set()
    for path in directory.glob("data/state/*/*/ai-state.sqlite"):
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(10_000)
        rows: list[Any] = []
        try:
            rows = connection.execute("SELECT answer FROM journal").fetchall()
        except apsw.SQLError:
            pass  # it is being made
        finally:
            connection.close()
        found |= {int(number) for (answer,) in rows for number in re.findall(rb'"answer (\d+)"', answer)}
    return found


async def until(condition: Callable[[], bool], victim: Victim) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await victim.check()
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"it did not happen in {PATIENCE_SECONDS} s. {await victim.story()}")


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    server = ModelServer()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def victim(tmp_path: Path) -> AsyncIterator[Victim]:
    victim = Victim(tmp_path)
    yield victim
    await victim.bury()


async def killed_once(
    directory: Path, server: ModelServer, answers: Answers, victim: Victim, *, quiet: bool
) -> tuple[int, int]:
    """One life of the process. How many completions its end cut off, and how many answers were on their way: written by
    the model, but not on the disk of the process."""
    before = len(server.answered)
    server.frozen, server.holds = False, True
    await victim.start()
    await until(lambda: len(server.answered) >= before + 2, victim)
    if quiet:
        server.frozen = True
        await until(lambda: server.answered <= journalled(directory) | set(answers.numbers), victim)
    else:
        await asyncio.sleep(random.uniform(0, 0.1))
    cut_off = server.under_way.total()
    await victim.kill()
    arrived = journalled(directory) | set(answers.numbers) | server.settled
    server.settled |= arrived
    lost = server.answered - arrived
    server.answered -= lost
    return cut_off, len(lost)


@pytest.mark.slow
@pytest.mark.timeout(120 + KILLS * 30)
async def test_no_answer_that_arrived_is_asked_for_again(tmp_path: Path, server: ModelServer, victim: Victim) -> None:
    application = tmp_path / "application"
    application.mkdir()
    (application / "pipeline.yaml").write_text(PIPELINE)
    (application / "configuration.yaml").write_text(CONFIGURATION.format(url=server.url))
    cluster = open_cluster({"session-timeout-seconds": 2}, tmp_path / "data")
    await cluster.start()
    await cluster.admin.create(TopicSpec("in", 3))
    await cluster.admin.create(TopicSpec("out", 1))
    producer = cluster.producer()
    await producer.start()
    lives: list[tuple[int, int]] = []
    async with Answers(cluster) as answers:
        for kill in range(KILLS):
            numbers = range(kill * QUESTIONS, (kill + 1) * QUESTIONS)
            await producer.send("in", [SimpleRecord(f'{{"n": {number}}}', str(number)) for number in numbers])
            lives.append(await killed_once(tmp_path, server, answers, victim, quiet=kill % 2 == 0))
        server.frozen, server.holds = False, False
        await victim.start()
        await until(lambda: len(answers.numbers) >= KILLS * QUESTIONS, victim)
        await victim.kill()
    await producer.close()
    await cluster.close()
    calls, questions = server.asked.total(), KILLS * QUESTIONS
    in_the_middle = sum(cut_off > 0 for cut_off, _ in lives)
    print(
        f"{KILLS} kills, {in_the_middle} in the middle of {sum(cut_off for cut_off, _ in lives)} completions; "
        f"{questions} questions, {calls} calls; {len(server.settled)} answers known to have arrived before a kill, "
        f"{len(server.again)} of them asked again; {sum(lost for _, lost in lives)} were on their way"
    )
    assert in_the_middle > KILLS / 2
    assert calls > questions
    assert server.settled
    assert server.again == []
    assert answers.wrong == []
    assert sorted(answers.numbers) == list(range(questions))
