"""`langstream validate --check-services`: ask the services that an application needs, and tell how they are."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence

import click

from langstream.control.cluster import open_cluster
from langstream.deploy.checks import Checked, check_services
from langstream.planner.plan import ExecutionPlan
from langstream.topics.contract import TopicCluster

_HERE = ("embedded", "memory")
"""Brokers of this process: nothing has to be reached."""


def report_services(plan: ExecutionPlan) -> None:
    """Print what was found; ends the process with status 1 if a service cannot be used."""
    logging.disable(logging.CRITICAL)  # what clients log of their attempts is told once, at the end
    loop = asyncio.new_event_loop()
    found = loop.run_until_complete(check_services(plan, _opener(plan)))
    for checked in found:
        if not checked.problems:
            click.echo(f"{checked.subject} can be used.")
    if _told(found):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)  # threads of clients that still try to connect must not keep the process
    loop.close()


def _opener(plan: ExecutionPlan) -> Callable[[], TopicCluster] | None:
    streaming = plan.application.instance.streaming
    if streaming is None or streaming.type in _HERE:
        return None
    return lambda: open_cluster(streaming, None)


def _told(found: Sequence[Checked]) -> bool:
    problems = sorted(
        (problem for checked in found for problem in checked.problems),
        key=lambda problem: (str(problem.position or ""), problem.message),
    )
    if problems:
        count = len(problems)
        click.secho(f"{count} problem{'s' if count != 1 else ''} with services.", fg="red", err=True)
        for problem in problems:
            click.echo(f"  {problem}", err=True)
    return bool(problems)
