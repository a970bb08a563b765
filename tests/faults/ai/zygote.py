"""Makes the processes that are killed: each is a fork of this one, which has everything imported and planned.

    python zygote.py DIRECTORY

`DIRECTORY/application` holds the files, `DIRECTORY/data` the topics. On its input `start` forks a process that runs the
application until it dies; `look` tells whether it is alive, `reap` waits for its death.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp  # noqa: F401 - so that the forks need not
import apsw  # noqa: F401

from langstream.deploy.local import LocalDeployment
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan
from langstream.topics.embedded import open_cluster


def tell() -> None:
    """What every task waits for, for a test that waits in vain."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    sys.stderr.flush()


async def run(plan: ExecutionPlan, directory: Path) -> None:
    """For ever."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    cluster = open_cluster({"session-timeout-seconds": 2}, directory / "data")
    await cluster.start()
    deployment = LocalDeployment(plan, cluster, data_directory=directory / "data")
    await deployment.setup()
    await deployment.start()
    await asyncio.Event().wait()


def main(directory: Path) -> None:
    """Serve until the input ends."""
    plan = load_and_plan(directory / "application", "killed")
    child = 0
    for line in sys.stdin:
        if line == "start\n":
            child = os.fork()
            if child == 0:
                try:
                    asyncio.run(run(plan, directory))
                finally:
                    os._exit(1)
            answer = child
        else:
            answer, _ = os.waitpid(child, 0 if line == "reap\n" else os.WNOHANG)
        print(answer, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
