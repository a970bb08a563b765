"""The process that is killed: an application on the embedded broker, run until it dies.

    python application.py DIRECTORY

`DIRECTORY/application` holds the files, `DIRECTORY/data` the topics.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from langstream.deploy.local import LocalDeployment
from langstream.planner.check import load_and_plan
from langstream.topics.embedded import open_cluster


async def main(directory: Path) -> None:
    """Run for ever."""
    cluster = open_cluster({"session-timeout-seconds": 2}, directory / "data")
    await cluster.start()
    plan = load_and_plan(directory / "application", "killed")
    deployment = LocalDeployment(plan, cluster, data_directory=directory / "data")
    await deployment.setup()
    await deployment.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
