"""A place of every kind that sources read: a folder, and a bucket of every store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agents.storage.benches import BucketSources, FolderSources, SourceBench
from tests.services.objects.benches import AzureBench, GoogleBench, S3Bench
from tests.services.objects.fixtures import azure_address, google, s3_address
from tests.services.objects.google_server import GoogleServer

__all__ = ["azure_address", "google", "s3_address"]


@pytest.fixture(params=["file", "s3", "azure", "google"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SourceBench]:
    """Every kind of source."""
    if request.param == "google":
        async with GoogleServer() as server:
            async for opened in _open(BucketSources("google-cloud-storage-source", GoogleBench(server), tmp_path)):
                yield opened
        return
    bench: SourceBench
    if request.param == "file":
        bench = FolderSources(tmp_path)
    else:
        address = request.getfixturevalue(f"{request.param}_address")
        if request.param == "s3":
            bench = BucketSources("s3-source", S3Bench(address), tmp_path)
        else:
            bench = BucketSources("azure-blob-storage-source", AzureBench(address), tmp_path)
    async for opened in _open(bench):
        yield opened


@pytest.fixture
async def s3(s3_address: str, tmp_path: Path) -> AsyncIterator[BucketSources]:
    """Sources of a bucket of S3."""
    async for opened in _open(BucketSources("s3-source", S3Bench(s3_address), tmp_path)):
        assert isinstance(opened, BucketSources)
        yield opened


async def _open(bench: SourceBench) -> AsyncIterator[SourceBench]:
    yield bench
    await bench.close()
