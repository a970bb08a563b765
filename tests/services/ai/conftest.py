"""What the tests of AI services share: a fake server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.services.ai.fake_server import FakeServer


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    """A running fake server."""
    server = FakeServer()
    await server.start()
    yield server
    await server.close()
