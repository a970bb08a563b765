"""A place of every kind that sources read: a folder, and a bucket of every store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agents.storage.benches import BucketSources, FolderSources, SourceBench
from tests.services.objects.benches import S3Bench
from tests.services.objects.fixtures import KINDS, azure_address, google, google_address, s3_address, store_bench

__all__ = ["azure_address", "google", "google_address", "s3_address"]

TYPES = {"s3": "s3-source", "azure": "azure-blob-storage-source", "google": "google-cloud-storage-source"}


@pytest.fixture(params=["file", *KINDS])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SourceBench]:
    """Every kind of source."""
    if request.param == "file":
        async for opened in _open(FolderSources(tmp_path)):
            yield opened
        return
    async with store_bench(request.param, request) as store:
        async for opened in _open(BucketSources(TYPES[request.param.partition("-")[0]], store, tmp_path)):
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
