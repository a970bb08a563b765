"""Asking the services of a plan: all problems at once, each at its place, in bounded time, without credentials."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from langstream.deploy.checks import Checked, check_services
from langstream.errors import BrokerUnavailable, Problem
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan
from langstream.topics.memory import open_cluster
from tests.services.ai.fake_server import FakeServer, Reply

PIPELINE = """
topics: [{name: in, creation-mode: create-if-not-exists}]
pipeline:
  - type: ai-chat-completions
    id: chat
    input: in
    configuration:
      ai-service: openai
      model: gpt-wrong
      messages: [{role: user, content: "{{ value }}"}]
  - type: compute-ai-embeddings
    id: vectors
    configuration:
      ai-service: ollama
      model: nomic
      text: "{{ value }}"
      embeddings-field: value
"""
CONFIGURATION = """
configuration:
  resources:
    - type: open-ai-configuration
      id: openai
      name: OpenAI
      configuration:
        url: {url}/v1
        access-key: "${{secrets.ai.key}}"
    - type: ollama-configuration
      id: ollama
      name: Ollama
      configuration:
        url: {url}/ollama
    - type: anthropic-configuration
      name: unused
      configuration:
        url: {url}/anthropic
        access-key: sk-ant-unused
    - type: datasource
      name: here
      configuration: {{service: jdbc, driverClass: org.sqlite.JDBC, url: "jdbc:sqlite::memory:"}}
    - type: datasource
      name: away
      configuration:
        service: jdbc
        driverClass: org.postgresql.Driver
        url: "jdbc:postgresql://127.0.0.1:9/none"
        user: someone
        password: hunter2-password
"""
SECRETS = "secrets: [{id: ai, data: {key: sk-very-secret}}]"


class Server(FakeServer):
    """Several services in one: a good one at `/v1`, one that rejects keys at `/anthropic`; `/ollama` is silent."""

    silent_paths = ("/ollama",)

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        if request["path"].startswith(self.silent_paths):
            return Reply(silent=True)
        if request["path"] == "/v1/models":
            return Reply(body={"data": [{"id": "gpt-right"}]})
        return Reply(status=401, body={"error": {"message": f"bad {request['headers']['x-api-key']}"}})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    await server.start()
    yield server
    await server.close()


@pytest.fixture
def plan(server: Server, tmp_path: Path) -> ExecutionPlan:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "configuration.yaml").write_text(CONFIGURATION.format(url=server.url))
    secrets = tmp_path.parent / "secrets.yaml"
    secrets.write_text(SECRETS)
    return load_and_plan(tmp_path, "app", secrets=secrets)


def told(found: list[Checked] | Any) -> dict[str, Problem]:
    """The only problem of each subject that has one."""
    problems = {}
    for checked in found:
        if checked.problems:
            (problems[checked.subject.split("'")[1]],) = checked.problems
    return problems


async def test_every_service_is_asked_and_all_problems_are_told_at_once(plan: ExecutionPlan) -> None:
    found = await check_services(plan, limit_seconds=5.0)
    problems = told(found)
    assert [checked.subject.split("'")[1] for checked in found] == ["openai", "ollama", "unused", "here", "away"]
    assert set(problems) == {"openai", "ollama", "unused", "away"}
    assert "has no model 'gpt-wrong'" in problems["openai"].message
    assert "declared at configuration.yaml:4:7" in problems["openai"].message
    assert str(problems["openai"].position) == "pipeline.yaml:9:7"
    assert "did not answer within 5 s" in problems["ollama"].message
    assert str(problems["ollama"].position) == "configuration.yaml:10:7"
    assert "does not accept the credentials" in problems["unused"].message
    assert str(problems["unused"].position) == "configuration.yaml:15:7"
    assert "cannot be reached" in problems["away"].message
    everything = " ".join(str(problem) for problem in problems.values())
    assert not any(secret in everything for secret in ("hunter2", "sk-very-secret", "sk-ant-unused"))


async def test_nothing_is_generated(plan: ExecutionPlan, server: Server) -> None:
    await check_services(plan, limit_seconds=1.0)
    assert {request["method"] for request in server.requests} == {"GET"}


async def test_a_cluster_that_answers_is_fine(plan: ExecutionPlan) -> None:
    *_, cluster = await check_services(plan, lambda: open_cluster({}, None), limit_seconds=1.0)
    assert cluster == Checked("The streaming cluster")


async def test_a_cluster_that_cannot_be_reached_is_told(plan: ExecutionPlan) -> None:
    class Away:
        async def start(self) -> None:
            raise BrokerUnavailable("no broker at 127.0.0.1:9")

        async def close(self) -> None:
            await asyncio.Event().wait()

    *_, cluster = await check_services(plan, Away, limit_seconds=1.0)  # type: ignore[arg-type]
    (problem,) = cluster.problems
    assert "cannot be reached" in problem.message
    assert "127.0.0.1:9" in problem.message


async def test_what_a_driver_raises_unannounced_is_a_problem_without_the_credentials(plan: ExecutionPlan) -> None:
    def broken() -> Any:
        raise RuntimeError("could not log in someone with hunter2-password")

    *_, cluster = await check_services(plan, broken, limit_seconds=1.0)
    (problem,) = cluster.problems
    assert "RuntimeError" in problem.message
    assert "hunter2" not in problem.message
