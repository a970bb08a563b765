"""Ids of the application and its agents: they name consumer groups, directories and, on Kubernetes, objects."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from langstream.application.model import Agent
from langstream.errors import Problem

_KUBERNETES_NAME: Final = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]")
MAX_APPLICATION_ID: Final = 20
MAX_AGENT_ID: Final = 37
MAX_LOCAL_ID: Final = 200
"""Ids are parts of file names, which most file systems end at 255 bytes."""
KUBERNETES: Final = "kubernetes"


def check_application_id(id: str, compute: str) -> list[Problem]:
    """What is wrong with the application's id on a compute cluster."""
    if not id.strip():
        return [Problem("The application's id must not be empty")]
    if compute != KUBERNETES:
        reason = _unusable(id)
        return [Problem(f"The application's id '{id}' {reason}")] if reason else []
    if not 2 <= len(id) <= MAX_APPLICATION_ID or not _KUBERNETES_NAME.fullmatch(id):
        return [
            Problem(
                f"The application's id '{id}' cannot be used on Kubernetes",
                hint=f"Take 2 to {MAX_APPLICATION_ID} lower-case letters, digits and dashes, beginning with a letter.",
            )
        ]
    return []


def check_agent_ids(agents: Iterable[Agent], application_id: str, compute: str) -> list[Problem]:
    """What is wrong with the ids of agents: each must be the only one of its name in the application."""
    problems: list[Problem] = []
    first: dict[str, Agent] = {}
    for agent in agents:
        other = first.setdefault(agent.id, agent)
        if other is not agent:
            hint = f"The other one is at {other.position}." if other.position else None
            problems.append(Problem(f"Two agents have the id '{agent.id}'", agent.position, hint))
        elif (reason := _agent_reason(agent.id, application_id, compute)) is not None:
            hint = "Set a valid 'id' for the agent."
            problems.append(Problem(f"The agent id '{agent.id}' {reason}", agent.position, hint))
    return problems


def _agent_reason(id: str, application_id: str, compute: str) -> str | None:
    if compute != KUBERNETES:
        return _unusable(id)
    if len(id) > MAX_AGENT_ID:
        return f"is too long for Kubernetes: at most {MAX_AGENT_ID} characters"
    if _KUBERNETES_NAME.fullmatch(application_id) and not _KUBERNETES_NAME.fullmatch(f"{application_id}-{id}"):
        return "cannot be used on Kubernetes: it takes lower-case letters, digits and dashes, and ends with no dash"
    return None


def _unusable(id: str) -> str | None:
    if not id.strip() or id in (".", ".."):
        return "cannot be used as a name"
    if any(char in "/\\" or not char.isprintable() for char in id):
        return "holds a slash or a control character"
    return f"is longer than {MAX_LOCAL_ID} bytes" if len(id.encode()) > MAX_LOCAL_ID else None
