"""An agent's reference to its AI service: the option, and its check when the application is planned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from langstream.agents.declaration import Finding, PlanContext
from langstream.application.model import Resource
from langstream.configuration.model import Kind
from langstream.configuration.validation import did_you_mean
from langstream.services.ai.contract import AIProvider, Task
from langstream.services.ai.selection import AI_PROVIDERS, ai_resource_types, can, preferred, supported_types
from langstream.services.resources import check_resource

AIServiceName = Annotated[str, Kind("resource", of=ai_resource_types())]
"""The id of an AI resource. That it exists and has one of the types is checked by the planner."""


def check_ai_service(ai_service: str | None, model: str | None, task: Task, context: PlanContext) -> Iterator[Finding]:
    """What is wrong with the agent's AI service: none there, its options, a model that it does not have."""
    if ai_service is None:
        resource = preferred(context.resources, task)
        if resource is None:
            yield _none_found(context, task)
            return
    else:
        resource = context.resources.get(ai_service)
        if resource is None or resource.type not in ai_resource_types():
            return  # the planner's check of references tells
        if resource.type not in AI_PROVIDERS:
            yield Finding(
                f"AI resource '{resource.id}' has the type '{resource.type}', which this installation does not support",
                ("ai-service",),
                f"Supported types: {', '.join(supported_types())}.",
            )
            return
    problems = _resource_findings(resource)
    if ai_service is None:  # the options of a named resource are checked by the planner, at their own place
        yield from problems
    if not problems:
        yield from _model_findings(resource, AI_PROVIDERS.load(resource.type), model, task)


def check_fallback(
    services: Sequence[tuple[str, str | None]], model: str | None, task: Task, context: PlanContext
) -> Iterator[Finding]:
    """What is wrong with the services, and their models, that an agent falls back on."""
    seen: set[tuple[str, str | None]] = set()
    for index, (ai_service, own_model) in enumerate(services):
        for finding in check_ai_service(ai_service, own_model or model, task, context):
            yield replace(finding, path=("fallback", index, *finding.path))
        if (ai_service, own_model or model) in seen:
            message = f"the fallback names service '{ai_service}' with model '{own_model or model}' twice"
            yield Finding(message, ("fallback", index))
        seen.add((ai_service, own_model or model))


def _none_found(context: PlanContext, task: Task) -> Finding:
    present = sorted({resource.type for resource in context.resources.values()} & set(ai_resource_types()))
    supported = ", ".join(name for name in supported_types() if can(name, task))
    if present and all(name in AI_PROVIDERS for name in present):
        return Finding(
            f"The application's AI resources ({', '.join(present)}) have no {task}",
            hint=f"Types that have: {supported}.",
        )
    if present:
        return Finding(
            f"The application's AI resources ({', '.join(present)}) are not supported by this installation",
            hint=f"Supported types: {supported}.",
        )
    return Finding(
        "The application has no AI service: a resource in configuration.yaml of one of the types "
        f"{', '.join(ai_resource_types())}",
        hint=f"Supported by this installation: {supported}. "
        "`local-ai-configuration` needs neither a key nor a network.",
    )


def _resource_findings(resource: Resource) -> list[Finding]:
    subject = f"resource configuration (resource: '{resource.id}', type: '{resource.type}')"
    _, problems = check_resource(resource.type, resource.configuration, subject=subject, locate=resource.locate)
    return [
        Finding(f"{problem.message}{f' ({problem.position})' if problem.position else ''}", hint=problem.hint)
        for problem in problems
    ]


def _model_findings(resource: Resource, provider: AIProvider, model: str | None, task: Task) -> Iterator[Finding]:
    if task not in provider.tasks:
        yield Finding(f"AI resource '{resource.id}' (type: '{resource.type}') has no {task}", ("ai-service",))
        return
    known = provider.embeddings_models if task == "embeddings" else provider.completion_models
    if model is None:
        if task == "embeddings" and provider.embeddings_model is None:
            yield Finding(f"Property 'model' is required with a resource of type '{resource.type}'")
    elif known and model not in known:
        yield Finding(
            f"AI resource '{resource.id}' (type: '{resource.type}') has no model '{model}' for {task}",
            ("model",),
            did_you_mean(model, known) or f"Expected: {', '.join(known)}.",
        )
