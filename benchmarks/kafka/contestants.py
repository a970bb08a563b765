"""Who is measured, and how each is started."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PEERS: Final = HERE / ".venv" / "bin" / "python"
STEPS: Final = {
    "pass": [{"type": "identity"}],
    "transform": [
        {
            "type": "compute",
            "configuration": {
                "when": "value.celsius > 10",
                "fields": [{"name": "value.fahrenheit", "expression": "value.celsius * 2 + 32"}],
            },
        },
        {"type": "drop-fields", "configuration": {"fields": ["raw", "note"], "part": "value"}},
        {
            "type": "compute",
            "configuration": {"fields": [{"name": "value.label", "expression": "fn:uppercase(value.station)"}]},
        },
    ],
}


@dataclass(frozen=True)
class Task:
    """One thing to measure."""

    source: str
    target: str
    group: str
    work: str
    guarantee: str


@dataclass(frozen=True)
class Contestant:
    """`guarantees` tells for `least`, `exact` and `none` what it promises; others it is not asked for."""

    name: str
    script: str
    guarantees: dict[str, str]

    @property
    def is_peer(self) -> bool:
        """Whether it needs the environment of the peers."""
        return self.script not in ("", "bare.py")

    def command(self, bootstrap: str, task: Task, directory: Path) -> list[str]:
        """How it is started."""
        if not self.script:
            return _langstream(bootstrap, task, directory)
        python = sys.executable if self.script == "bare.py" else str(PEERS)
        arguments = [bootstrap, task.source, task.target, task.group, task.work, task.guarantee]
        return [python, str(HERE / "contestants" / self.script), *arguments]


CONTESTANTS: Final = (
    Contestant("bare loop", "bare.py", {"least": "at least once", "exact": "exactly once"}),
    Contestant("langstream", "", {"least": "at least once", "exact": "exactly once"}),
    Contestant("bytewax", "bytewax_app.py", {"least": "since the last epoch", "none": "none kept across a crash"}),
    Contestant("quixstreams", "quixstreams_app.py", {"least": "at least once", "exact": "exactly once"}),
    Contestant("faststream", "faststream_app.py", {"least": "at least once"}),
    Contestant("faust-streaming", "faust_app.py", {"least": "at least once"}),
)


def _langstream(bootstrap: str, task: Task, directory: Path) -> list[str]:
    """An application as users write it, run by the command that users type."""
    application = directory / "application"
    application.mkdir(parents=True)
    steps = [dict(step) for step in STEPS[task.work]]
    steps[0]["input"], steps[-1]["output"] = task.source, task.target
    topics = [{"name": name, "creation-mode": "none"} for name in (task.source, task.target)]
    (application / "pipeline.yaml").write_text(json.dumps({"topics": topics, "pipeline": steps}))
    exactly_once = "auto" if task.guarantee == "exact" else "never"
    configuration = {"admin": {"bootstrap.servers": bootstrap}, "exactly-once": exactly_once}
    instance = directory / "instance.yaml"
    instance.write_text(
        json.dumps({"instance": {"streamingCluster": {"type": "kafka", "configuration": configuration}}})
    )
    return [
        str(Path(sys.executable).with_name("langstream")), "run", task.group, "-app", str(application),
        "-i", str(instance), "--no-ui", "--gateway-port", "0", "--control-port", "0",
        "--data-dir", str(directory / "data"),
    ]  # fmt: skip
