"""Whether the services of a plan can be used: every AI service, every data store, the streaming cluster.

All are asked at the same time, each for a limited time; nothing is created, written or generated. What is wrong is told
at the place where the service is declared, or where a model is named, and never with a credential in it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from langstream.application.model import Resource
from langstream.application.redaction import Redaction
from langstream.deploy.model_uses import Asked, models_asked
from langstream.errors import ApplicationRefused, LangStreamError, Position, Problem, ServiceError
from langstream.planner.plan import ExecutionPlan
from langstream.services.ai.contract import AIProvider, AIService
from langstream.services.resources import STORE_TYPES, Services, check_resource
from langstream.services.stores.connection import connect
from langstream.topics.contract import TopicCluster

LIMIT_SECONDS: Final = 10.0
CLOSING_SECONDS: Final = 2.0
"""A service that does not answer may not let go either."""

_CREDENTIAL: Final = re.compile(r"pass|secret|token|key|credential|json|jaas|bundle", re.IGNORECASE)
_WORDS: Final = {
    "authentication": "does not accept the credentials",
    "transient": "cannot be reached, or does not work at the moment",
    "rate-limited": "answers, but accepts no more requests for now",
    "exhausted": "accepts the credentials, but their quota is used up",
}


class Opening(Protocol):
    """Something that is started, asked and closed."""

    async def start(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One service that was asked."""

    subject: str
    problems: tuple[Problem, ...] = ()


async def check_services(
    plan: ExecutionPlan,
    open_cluster: Callable[[], TopicCluster] | None = None,
    limit_seconds: float = LIMIT_SECONDS,
) -> Sequence[Checked]:
    """Ask them all. `open_cluster` makes the streaming cluster; without it none is asked."""
    checks = [_check_resource(plan, resource, limit_seconds) for resource in _resources(plan)]
    if open_cluster is not None:
        checks.append(_check_cluster(plan, open_cluster, limit_seconds))
    found = await asyncio.gather(*checks)
    redaction = Redaction({**plan.application.secrets, "": {"": list(_credentials(plan))}})
    return [replace(checked, problems=tuple(redaction.problems(checked.problems))) for checked in found]


def _resources(plan: ExecutionPlan) -> Iterator[Resource]:
    """Those that are services. What is wrong with the options of one that nobody uses is a warning of the plan."""
    services = Services()
    for resource in plan.application.resources.values():
        if resource.type in STORE_TYPES or resource.type in services.ai:
            _, problems = check_resource(resource.type, resource.configuration, subject="", services=services)
            if not problems:
                yield resource


async def _check_resource(plan: ExecutionPlan, resource: Resource, limit_seconds: float) -> Checked:
    if resource.type in STORE_TYPES:
        service = resource.configuration.get("service")
        subject = f"{resource.type.capitalize()} '{resource.id}' (service: '{service}')"
        return await _told_of(subject, resource.position, lambda: _ask_store(resource, limit_seconds))
    subject = f"AI resource '{resource.id}' (type: '{resource.type}')"
    asked = [use for use in models_asked(plan) if use.resource == resource.id]
    return await _told_of(subject, resource.position, lambda: _ask_ai(subject, resource, asked, limit_seconds))


async def _check_cluster(plan: ExecutionPlan, opened: Callable[[], TopicCluster], limit_seconds: float) -> Checked:
    streaming = plan.application.instance.streaming
    subject = f"The streaming cluster (type: '{streaming.type}')" if streaming else "The streaming cluster"

    async def ask() -> Sequence[Problem]:
        cluster = opened()

        async def work() -> Sequence[Problem]:
            await cluster.admin.list()
            return ()

        return await _opened(cluster, work, limit_seconds)

    return await _told_of(subject, streaming.position if streaming else None, ask)


async def _ask_store(resource: Resource, limit_seconds: float) -> Sequence[Problem]:
    store = connect(resource.id, resource.configuration, None)

    async def work() -> Sequence[Problem]:
        await store.check()
        return ()

    return await _opened(store, work, limit_seconds)


async def _ask_ai(subject: str, resource: Resource, asked: Sequence[Asked], limit_seconds: float) -> Sequence[Problem]:
    provider: AIProvider = Services().ai.load(resource.type)
    configuration, problems = check_resource(resource.type, resource.configuration, subject=subject)
    if configuration is None:
        return problems
    service: AIService = provider.connect(configuration)

    async def work() -> Sequence[Problem]:
        missing = await service.check(frozenset(use.use for use in asked))
        where = f", declared at {resource.position}" if resource.position else ""
        return [
            Problem(f"Agent '{use.agent}' cannot use its model at {subject}{where}: {missing[use.use]}", use.position)
            for use in asked
            if use.use in missing
        ]

    return await _opened(service, work, limit_seconds)


async def _opened(
    opening: Opening, work: Callable[[], Awaitable[Sequence[Problem]]], limit_seconds: float
) -> Sequence[Problem]:
    """What the work finds. Raises TimeoutError after the limit; closing has a limit of its own."""
    try:
        async with asyncio.timeout(limit_seconds) as limit:
            await opening.start()
            return await work()
    except TimeoutError:
        if not limit.expired():
            raise ServiceError("it sent nothing for too long") from None
        raise ServiceError(f"it did not answer within {limit_seconds:g} s") from None
    finally:
        with suppress(Exception):
            async with asyncio.timeout(CLOSING_SECONDS):
                await opening.close()


async def _told_of(subject: str, position: Position | None, ask: Callable[[], Awaitable[Sequence[Problem]]]) -> Checked:
    """Every failure is a problem of the service, also those that its driver does not announce."""
    try:
        return Checked(subject, tuple(await ask()))
    except ApplicationRefused as error:
        problems = (replace(problem, position=problem.position or position) for problem in error.problems)
        return Checked(subject, tuple(problems))
    except Exception as error:
        return Checked(subject, (Problem(f"{subject} {_told(error)}", position),))


def _told(error: Exception) -> str:
    if isinstance(error, LangStreamError):
        category = getattr(error, "category", "transient" if error.retryable else "")
        return f"{_WORDS.get(category, 'cannot be used')}: {error}"
    return f"cannot be used: {type(error).__name__}: {error}"


def _credentials(plan: ExecutionPlan) -> Iterator[str]:
    """What stands under names of credentials, wherever it came from: drivers may repeat it in their messages."""
    streaming = plan.application.instance.streaming
    for resource in plan.application.resources.values():
        yield from _named(resource.configuration)
    if streaming is not None:
        yield from _named(streaming.configuration)


def _named(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(item, str(key))
    elif isinstance(value, str) and _CREDENTIAL.search(name):
        yield value
