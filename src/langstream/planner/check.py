"""From files to a plan in one step, with the problems of both told together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from langstream.application.loader import read_application
from langstream.errors import ApplicationRefused
from langstream.planner.catalogue import Catalogue
from langstream.planner.plan import ExecutionPlan
from langstream.planner.planning import draft


def load_and_plan(
    directory: Path | Sequence[Path],
    application_id: str,
    *,
    instance: Path | None = None,
    secrets: Path | None = None,
    environment: Mapping[str, str] | None = None,
    tenant: str = "default",
    catalogue: Catalogue | None = None,
) -> ExecutionPlan:
    """The plan of the application in a directory. Raises ApplicationRefused with the problems of loader and planner."""
    loaded = read_application(directory, instance=instance, secrets=secrets, environment=environment)
    planned = draft(
        loaded.application,
        application_id,
        tenant=tenant,
        catalogue=catalogue,
        resources_known=loaded.resources_known,
    )
    # what the loader refused at a place, the planner need not complain about again
    told = {problem.position for problem in loaded.problems if problem.position is not None}
    problems = [*loaded.problems, *(problem for problem in planned.problems if problem.position not in told)]
    if problems:
        raise ApplicationRefused(problems)
    return planned.plan
