"""The servers and one bench per store; conftest modules take them from here."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.servers import google_storage
from tests.services.objects import servers
from tests.services.objects.benches import AzureBench, GoogleBench, RunningGoogleBench, S3Bench, StoreBench
from tests.services.objects.google_server import GoogleServer


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """A running S3."""
    with servers.moto() as address:
        yield address


@pytest.fixture(scope="session")
def azure_address() -> Iterator[str]:
    """A running Azurite."""
    _require(servers.azurite_missing())
    with servers.azurite() as address:
        yield address


@pytest.fixture(scope="session")
def google_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running `fake-gcs-server`."""
    _require(google_storage.missing())
    directory: Path = tmp_path_factory.mktemp("google-storage")
    with google_storage.google_storage(directory) as address:
        yield address


def _require(missing: str | None) -> None:
    if missing:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail(missing)
        pytest.skip(missing)


@pytest.fixture
async def google() -> AsyncIterator[GoogleServer]:
    """The Google server that the tests keep: tokens, preconditions, soft errors."""
    async with GoogleServer() as server:
        yield server


KINDS = ("s3", "azure", "google", "google-as-documented")
CONDITIONAL = tuple(kind for kind in KINDS if kind != "google")
"""Those that look at the version they are asked to delete; `fake-gcs-server` does not."""


@asynccontextmanager
async def store_bench(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[StoreBench]:
    """A bucket of that kind."""
    async with AsyncExitStack() as stack:
        opened: StoreBench
        if kind in ("s3", "azure"):
            opened = (S3Bench if kind == "s3" else AzureBench)(request.getfixturevalue(f"{kind}_address"))
        else:
            address = request.getfixturevalue("google_address") if kind == "google" else None
            server = await stack.enter_async_context(GoogleServer())
            opened = GoogleBench(server) if address is None else RunningGoogleBench(server, address)
        yield opened
        await opened.close()


@pytest.fixture(params=KINDS)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[StoreBench]:
    """A bucket of every kind."""
    async with store_bench(request.param, request) as opened:
        yield opened
