"""The file of an agent's state: what is handed in together is written together, and failures stay with their cause."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from langstream.agents.ai.state_file import FILE_NAME, StateFile
from langstream.errors import AgentFailed, ServiceError


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[StateFile]:
    file = StateFile(tmp_path / "state")
    await file.start()
    await file.run(lambda connection: connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    yield file
    await file.close()


def insert(number: int) -> Any:
    return lambda connection: connection.execute("INSERT INTO numbers VALUES (?)", (number,))


def count(connection: apsw.Connection) -> Any:
    return connection.execute("SELECT count(*) FROM numbers").get


async def test_what_was_run_is_on_disk(file: StateFile, tmp_path: Path) -> None:
    await file.run(insert(1))
    other = apsw.Connection(str(tmp_path / "state" / FILE_NAME), flags=apsw.SQLITE_OPEN_READONLY)
    assert count(other) == 1
    other.close()


async def test_what_comes_meanwhile_goes_into_one_transaction(file: StateFile) -> None:
    begun, gate = threading.Event(), threading.Event()

    def wait(connection: apsw.Connection) -> bool:
        begun.set()
        return gate.wait(60)

    waiting = file.submit(wait)
    assert await asyncio.to_thread(begun.wait, 60)  # what is handed in now cannot be of the same transaction
    commits = 0

    def hooked(connection: apsw.Connection) -> None:
        def committed() -> bool:
            nonlocal commits
            commits += 1
            return False

        connection.set_commit_hook(committed)

    work = [file.submit(hooked), *(file.submit(insert(number)) for number in range(200))]
    gate.set()
    await asyncio.gather(waiting, *work)
    assert await file.run(count) == 200
    assert commits == 1


async def test_a_failure_stays_with_its_cause(file: StateFile) -> None:
    work = [file.submit(insert(number)) for number in (1, 2, 1, 3)]
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert [isinstance(outcome, ServiceError) for outcome in outcomes] == [False, False, True, False]
    assert await file.run(count) == 3


async def test_closing_writes_what_was_handed_in(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    await file.start()
    file.submit(lambda connection: connection.execute("CREATE TABLE numbers (n)"))
    for number in range(50):
        file.submit(insert(number))
    await file.close()
    again = StateFile(tmp_path)
    await again.start()
    assert await again.run(count) == 50
    await again.close()


async def test_one_who_goes_away_stops_nobody(file: StateFile) -> None:
    leaving, staying = asyncio.create_task(file.run(insert(1))), asyncio.create_task(file.run(insert(2)))
    await asyncio.sleep(0)
    leaving.cancel()
    await staying
    assert await file.run(count) == 2


async def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    file = StateFile(tmp_path / "state")
    with pytest.raises(AgentFailed, match="ai-state"):
        await file.start()
    await asyncio.wait_for(file.close(), 60)


async def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("no database, but long enough to be looked at " * 100)
    file = StateFile(tmp_path)
    with pytest.raises(AgentFailed, match="not a database"):
        await file.start()
    await asyncio.wait_for(file.close(), 60)
