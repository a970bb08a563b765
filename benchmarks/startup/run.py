"""What starting takes: `langstream --help`, `plan` and `run` of a small application, each against a bare process.

    python benchmarks/startup/run.py [--runs 10] [--no-bytecode]

Every command is started anew each time, in turns. `run` is timed until GET /management/health answers 200. Bounds are
a process that imports click and prints a line, and one that imports what a gateway is made of (click, pydantic, orjson,
yaml, starlette, uvicorn, uvloop) and serves one health page. Peak memory is that of the idle process (VmHWM). Compiled
modules are kept between the starts, as they are wherever an installer put the package; with `--no-bytecode` every start
compiles what it imports.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from processes import Cost, cost_of_command, cost_of_server, free_port, surroundings

HERE = Path(__file__).parent
HEALTH = "/management/health"
LANGSTREAM = str(Path(sys.executable).with_name("langstream"))
APPLICATION = ["small", "-app", str(HERE / "application")]


Start: TypeAlias = Callable[[Path, Mapping[str, str]], Cost]


def command(*arguments: str) -> Start:
    """A command that runs to its end."""
    return lambda directory, environment: cost_of_command(arguments, directory, environment)


def server(*arguments: str, port_option: str | None = "--gateway-port") -> Start:
    """A command that serves until it is told to stop, in a directory where nothing is."""

    def start(directory: Path, environment: Mapping[str, str]) -> Cost:
        port = free_port()
        ports = [str(port)] if port_option is None else [port_option, str(port), "--control-port", str(free_port())]
        return cost_of_server([*arguments, *ports], directory, environment, port, HEALTH)

    return start


SUBJECTS: dict[str, tuple[Start, str]] = {
    "bare click": (command(sys.executable, str(HERE / "bare_click.py")), "bare click"),
    "langstream --help": (command(LANGSTREAM, "--help"), "bare click"),
    "langstream plan": (command(LANGSTREAM, "plan", *APPLICATION), "bare click"),
    "bare server": (server(sys.executable, str(HERE / "bare_server.py"), port_option=None), "bare server"),
    "langstream run": (server(LANGSTREAM, "run", *APPLICATION), "bare server"),
    "langstream run --ephemeral": (server(LANGSTREAM, "run", *APPLICATION, "--ephemeral"), "bare server"),
}


def measure(runs: int, *, bytecode: bool) -> dict[str, list[Cost]]:
    """The costs by subject. The first round is not counted: it fills caches."""
    costs: dict[str, list[Cost]] = {name: [] for name in SUBJECTS}
    with tempfile.TemporaryDirectory() as compiled:
        environment = surroundings(Path(compiled) if bytecode else None)
        for number in range(runs + 1):
            for name, (start, _) in SUBJECTS.items():
                with tempfile.TemporaryDirectory() as directory:
                    cost = start(Path(directory), environment)
                if number:
                    costs[name].append(cost)
    return costs


def report(costs: dict[str, list[Cost]]) -> None:
    """Print one line per subject."""
    print(f"{'':27} {'seconds':>7}  {'(min – max)':13}  {'processor':>9}  {'peak memory':>11}   against")
    for name, (_, bound) in SUBJECTS.items():
        seconds, cpu, memory = medians(costs[name])
        times = sorted(cost.seconds for cost in costs[name])
        line = f"{name:27} {seconds:6.2f}s  ({times[0]:.2f} – {times[-1]:.2f})  {cpu:8.2f}s  {memory:8.1f} MB"
        if bound != name:
            their_seconds, their_cpu, their_memory = medians(costs[bound])
            ratios = f"time ×{seconds / their_seconds:.1f}, processor ×{cpu / their_cpu:.1f}"
            line += f"   {bound}: {ratios}, memory ×{memory / their_memory:.1f}"
        print(line)


def medians(costs: list[Cost]) -> tuple[float, float, float]:
    """Of seconds, processor seconds and megabytes."""
    return (
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu if cost.cpu is not None else float("nan") for cost in costs),
        statistics.median(cost.megabytes for cost in costs),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--no-bytecode", action="store_true", help="compile every module anew at each start")
    options = parser.parse_args()
    report(measure(options.runs, bytecode=not options.no_bytecode))
