"""An application that runs while commands talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.apps.application import RunningApp
from tests.cli.terminal import Outcome, langstream
from tests.ui.talking import FILES

Client = Callable[..., Outcome]

SETTINGS = """
    application:
      gateways:
        auth:
          test: {type: jwt, configuration: {secretKey: "a secret of at least thirty-two bytes"}}
"""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path) -> Iterator[None]:
    """No test sees, or writes, the profiles of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGSTREAM_HOME", str(tmp_path / "home"))
        yield


def write_talking(directory: Path) -> Path:
    """The files of the talking application."""
    for name, text in FILES.items():
        path = directory / "application" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    return directory / "application"


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """The talking application, on a data directory."""
    directory = tmp_path_factory.mktemp("talking")
    settings = directory / "gateway.yaml"
    settings.write_text(dedent(SETTINGS))
    running = RunningApp(
        write_talking(directory),
        "--data-dir", str(directory / "data"), "--no-ui", "--gateway-settings", str(settings),
        name="talking", log=directory / "run.log",
    )  # fmt: skip
    yield running
    running.kill()


@pytest.fixture
def gateway(app: RunningApp) -> Client:
    """Runs `langstream gateway COMMAND …` against the application."""

    def run(command: str, *arguments: str, stdin: str = "", control: bool = True) -> Outcome:
        options = ["--url", f"ws://127.0.0.1:{app.port}"]
        if control:
            options += ["--web-service-url", f"http://127.0.0.1:{app.control_port}"]
        return langstream("gateway", command, *arguments, *options, stdin=stdin)

    return run
