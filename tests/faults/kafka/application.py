"""The process that is killed: every pipeline on Kafka, with as many replicas as standard input asks for.

    python application.py DIRECTORY

Each line of standard input is a number of replicas; members join their groups and leave them until there are so many.
It ends with its standard input. SIGUSR1 has it tell what it is at. `ready` is printed when
everything runs for the first time.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from langstream.deploy.local import LocalDeployment
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan
from langstream.registry import TOPICS, Registry
from langstream.topics.contract import TopicCluster
from tests.faults.kafka.pipelines import PIPELINES

_log = logging.getLogger(__name__)


class Application:
    """One pipeline, with its replicas as deployments of their own."""

    def __init__(self, directory: Path, name: str) -> None:
        self.plan: ExecutionPlan = load_and_plan(
            directory / name / "application", name, instance=directory / name / "instance.yaml"
        )
        self._cluster: TopicCluster | None = None
        self._running: list[LocalDeployment] = []

    async def scale(self, replicas: int) -> None:
        """Have so many."""
        if self._cluster is None:
            streaming = self.plan.application.instance.streaming
            assert streaming is not None
            self._cluster = Registry(TOPICS).load(streaming.type)(streaming.configuration, None)
            await self._cluster.start()
        while len(self._running) > replicas:
            await self._running.pop(0).stop(10.0)
        while len(self._running) < replicas:
            deployment = LocalDeployment(
                self.plan, self._cluster, data_directory=None, registry=CollectorRegistry(auto_describe=False)
            )
            self._running.append(deployment)
            await deployment.setup()
            await deployment.start()


async def patiently(application: Application, replicas: int) -> None:
    """As a supervisor would: what could not start is started again."""
    while True:
        try:
            await application.scale(replicas)
            return
        except Exception:
            _log.exception("%s could not be scaled", application.plan.application_id)
            await asyncio.sleep(1)


async def keep(application: Application, wanted: asyncio.Queue[int], ready: asyncio.Event) -> None:
    """Follow what is wanted, the latest only."""
    while True:
        replicas = await wanted.get()
        while not wanted.empty():
            replicas = wanted.get_nowait()
        await patiently(application, replicas)
        ready.set()


async def main(directory: Path) -> None:
    """Until standard input ends."""
    applications = [Application(directory, pipeline.name) for pipeline in PIPELINES]
    queues: list[asyncio.Queue[int]] = [asyncio.Queue() for _ in applications]
    ready = [asyncio.Event() for _ in applications]
    keeping = [
        asyncio.create_task(keep(*each)) for each in zip(applications, queues, ready, strict=True)
    ]  # kept: tasks without a reference may vanish
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, tell_where)
    announcing = asyncio.create_task(announce(ready))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        for queue in queues:
            queue.put_nowait(int(line))
    for task in (*keeping, announcing):
        task.cancel()


def tell_where() -> None:
    """What every task and thread is at, to find out what a run that got stuck waits for."""
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    faulthandler.dump_traceback(all_threads=True)


async def announce(ready: list[asyncio.Event]) -> None:
    """Say when all of it runs."""
    for event in ready:
        await event.wait()
    print("ready", flush=True)


if __name__ == "__main__":
    level = os.environ.get("LANGSTREAM_FAULT_LOG", "INFO")
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    uvloop.run(main(Path(sys.argv[1])))
