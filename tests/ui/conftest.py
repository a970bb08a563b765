"""A running application and a browser to look at it with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.apps.application import RunningApp
from tests.ui.browser import CHROMIUM, Browser, Page
from tests.ui.talking import FILES


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The talking application."""
    directory = tmp_path_factory.mktemp("talking")
    for name, text in FILES.items():
        path = directory / "application" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    running = RunningApp(directory / "application", "--ephemeral", name="talking", log=directory / "run.log")
    yield running
    running.kill()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium; without it the tests of the page are skipped, unless services are required."""
    if CHROMIUM is None:
        if os.environ.get("LANGSTREAM_REQUIRE_SERVICES") == "1":
            pytest.fail("Chromium is not installed")
        pytest.skip("Chromium is not installed")
    started = Browser(tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()


@pytest.fixture
def open_page(app: RunningApp, browser: Browser) -> Iterator[Callable[[Path | str], Page]]:
    """Opens the page of the application, ready to be used."""
    pages: list[Page] = []

    def opened(hash: Path | str = "") -> Page:
        page = browser.open(f"http://127.0.0.1:{app.control_port}/{hash}")
        pages.append(page)
        page.wait_for("document.getElementById('nodes')?.children.length > 0")
        return page

    yield opened
    for page in pages:
        page.close()
