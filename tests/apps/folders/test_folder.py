"""A folder into a topic, killed again and again: every chunk of every file is on the topic once."""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from tests.apps.application import RunningApp
from tests.apps.place import Place

APPLICATION = Path(__file__).parent / "application"
FILES = 300
KILLS = 3
CHUNKS = 3
SECONDS = 60
SILENCE_SECONDS = 2.0

pytestmark = pytest.mark.timeout(300)


def text(number: int) -> str:
    """Three lines of a file, each of which becomes a chunk."""
    return "\n\n".join(f"line {line} of file {number} and some words" for line in range(CHUNKS))


def chunks(app: RunningApp) -> Counter[str]:
    """All there are, when nothing more comes."""
    found: Counter[str] = Counter()
    with app.socket("consume", "chunks", **{"option:position": "earliest"}) as frames, suppress(TimeoutError):
        while True:
            frame = frames.recv(timeout=SILENCE_SECONDS if len(found) == FILES * CHUNKS else SECONDS)
            found[json.loads(frame)["record"]["value"]] += 1
    return found


def test_every_chunk_is_there_once_through_kills(place: Place, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(FILES):
        (inbox / f"{number:04}.txt").write_text(text(number))
    left = FILES
    for kill in range(KILLS):
        app = place.run(APPLICATION, globals_={"inbox": str(inbox)})
        deadline = time.monotonic() + SECONDS
        while left > FILES * (KILLS - kill) // (KILLS + 1):
            assert time.monotonic() < deadline, f"{left} files are left"
            left = len(list(inbox.iterdir()))
        app.kill()
    app = place.run(APPLICATION, globals_={"inbox": str(inbox)})
    found = chunks(app)
    assert sum(found.values()) == FILES * CHUNKS, [chunk for chunk, count in found.items() if count > 1]
    assert found.keys() == {line for number in range(FILES) for line in text(number).split("\n\n")}
    while list(inbox.iterdir()):
        time.sleep(0.01)
    assert app.stop() == 0
