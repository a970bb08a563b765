"""A site, and a crawler for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.agents.web.crawler.sites import Crawler, Site
from tests.services.objects.fixtures import s3_address

__all__ = ["crawler", "other", "s3_address", "site"]


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A site without pages."""
    async with Site() as site:
        yield site


@pytest.fixture
async def other() -> AsyncIterator[Site]:
    """Another one."""
    async with Site() as site:
        yield site


@pytest.fixture
async def crawler(tmp_path: Path) -> AsyncIterator[Crawler]:
    """Crawlers that are stopped at the end."""
    crawler = Crawler(tmp_path / "state")
    yield crawler
    await crawler.close()
