"""A bucket in a whole application: what becomes of objects whose records are dropped, skipped or fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tests.agents.storage.benches import BucketSources
from tests.apps.application import RunningApp
from tests.apps.conftest import place  # noqa: F401 - a fixture
from tests.apps.place import Place

CODE = """
class Fussy:
    def process(self, record):
        if record.value() == b"bad":
            raise ValueError("cannot digest it")
        return [] if record.value() == b"drop" else [record]
"""
PIPELINE = """
topics:
  - {{name: out, creation-mode: create-if-not-exists}}
errors: {{on-failure: {policy}}}
pipeline:
  - type: s3-source
    configuration:
      {{endpoint: "{endpoint}", bucketName: "{bucket}", idle-time: 0.05}}
  - type: python-processor
    output: out
    configuration: {{className: fussy.Fussy}}
"""
GATEWAYS = "gateways: [{id: out, type: consume, topic: out}]\n"


@pytest.fixture
def run(s3: BucketSources, tmp_path: Path, place: Place) -> Callable[[str], RunningApp]:  # noqa: F811
    """Runs the application with a policy."""

    def start(policy: str) -> RunningApp:
        application = tmp_path / "application"
        (application / "python").mkdir(parents=True)
        pipeline = PIPELINE.format(policy=policy, endpoint=s3.store.options()["endpoint"], bucket=s3.store.bucket)
        (application / "pipeline.yaml").write_text(dedent(pipeline))
        (application / "gateways.yaml").write_text(GATEWAYS)
        (application / "python" / "fussy.py").write_text(CODE)
        return place.run(application)

    return start


async def prepared(s3: BucketSources) -> None:
    """A bucket with an object of every fate."""
    await s3.source(state=None)
    for name, content in {"1.txt": "drop", "2.txt": "good", "3.txt": "bad", "4.txt": "good"}.items():
        await s3.put(name, content)


async def until_only(s3: BucketSources, names: list[str], seconds: float = 30) -> None:
    """Wait until nothing else is in the bucket."""
    deadline = time.monotonic() + seconds
    while (found := await s3.names()) != names:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def test_dropped_records_delete_their_objects_and_skipped_ones_do_not(
    s3: BucketSources, run: Callable[[str], RunningApp]
) -> None:
    await prepared(s3)
    app = run("skip")
    frames = app.consume("out", 2)
    assert [frame["record"]["key"] for frame in frames] == ["2.txt", "4.txt"]
    await until_only(s3, ["3.txt"])
    await s3.put("3.txt", "good now")
    await until_only(s3, [])


async def test_a_failure_keeps_its_object_and_those_after_it(
    s3: BucketSources, run: Callable[[str], RunningApp]
) -> None:
    await prepared(s3)
    app = run("fail")
    await until_only(s3, ["3.txt", "4.txt"])
    deadline = time.monotonic() + 30
    while "cannot digest it" not in app.log.read_text():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert await s3.names() == ["3.txt", "4.txt"]
