"""The servers and one bench per store; conftest modules take them from here."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.services.objects import servers
from tests.services.objects.benches import AzureBench, GoogleBench, S3Bench, StoreBench
from tests.services.objects.google_server import GoogleServer


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """A running S3."""
    with servers.moto() as address:
        yield address


@pytest.fixture(scope="session")
def azure_address() -> Iterator[str]:
    """A running Azurite."""
    if reason := servers.azurite_missing():
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES"):
            pytest.fail(reason)
        pytest.skip(reason)
    with servers.azurite() as address:
        yield address


@pytest.fixture
async def google() -> AsyncIterator[GoogleServer]:
    """A running Google server."""
    async with GoogleServer() as server:
        yield server


@pytest.fixture(params=["s3", "azure", "google"])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[StoreBench]:
    """A bucket of every kind."""
    if request.param == "google":
        async with GoogleServer() as server:
            google = GoogleBench(server)
            yield google
            await google.close()
        return
    address = request.getfixturevalue(f"{request.param}_address")
    opened = (S3Bench if request.param == "s3" else AzureBench)(address)
    yield opened
    await opened.close()
