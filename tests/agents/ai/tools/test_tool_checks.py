"""What `langstream validate` says about tools and schemas, at its place in the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from langstream.errors import ApplicationRefused
from langstream.planner.check import load_and_plan

BRAIN = "{type: open-ai-configuration, name: Brain, configuration: {access-key: k}}"
LOCAL = "{type: local-ai-configuration, name: Local, configuration: {}}"
PIPELINE = "type: pipeline, name: look, description: d, input-topic: in, output-topic: out, parameters: {type: object}"

BEGINNING = """\
topics:
- name: in
- name: out
pipeline:
- type: ai-chat-completions
  id: a
  input: in
  configuration:
    model: m
    messages: [{content: hi}]
"""


def problems(directory: Path, options: str, resource: str = BRAIN, secrets: Path | None = None) -> list[str]:
    """Each with its place. The options stand in lines of their own, from line 11 on."""
    (directory / "python").mkdir(parents=True, exist_ok=True)
    (directory / "python" / "shed.py").write_text(
        "def add(a: int) -> int:\n    '''Add.'''\n    return a\n\nclass Box: ...\n"
    )
    (directory / "configuration.yaml").write_text(f"configuration: {{resources: [{resource}]}}\n")
    lines = "\n".join(f"    {line}" for line in options.strip().splitlines())
    (directory / "pipeline.yaml").write_text(BEGINNING + lines + "\n")
    try:
        load_and_plan(directory, "app", secrets=secrets, environment={})
    except ApplicationRefused as refused:
        return [str(problem) for problem in refused.problems]
    return []


@pytest.mark.parametrize(
    ("options", "place", "words"),
    [
        ("response-schema: {type: objekt}", "11:", "not a valid JSON Schema at 'type'"),
        ("response-schema:\n  properties:\n    a: {type: 7}", "13:", "properties.a.type"),
        ("response-schema: '{'", "11:", "not valid JSON"),
        ("response-schema: {$ref: 'https://x.example/y'}", "11:", "which is not there"),
        ("tools:\n- {type: pythn, function: shed.add}", "12:", "must be one of python, mcp, pipeline, not 'pythn'"),
        ("tools:\n- {function: shed.add}", "12:", "'type' must be one of"),
        ("tools:\n- {type: python}", "12:", "needs either 'function' or 'className'"),
        ("tools:\n- {type: python, function: add}", "12:", "expected MODULE.NAME"),
        ("tools:\n- {type: python, function: shed.ad}", "12:", "has no function 'ad'. Did you mean 'add'?"),
        ("tools:\n- {type: python, function: shad.add}", "12:", "Did you mean 'shed'?"),
        ("tools:\n- {type: python, className: shed.Bax}", "12:", "has no class 'Bax'. Did you mean 'Box'?"),
        ("tools:\n- {type: python, function: shed.add, nam: x}", "12:", "'tools[0].nam' is unknown"),
        ("tools:\n- {type: python, function: shed.add, name: 'a b'}", "12:", "letters, digits"),
        ("tools:\n- {type: python, function: shed.add, name: final_answer}", "12:", "a meaning of its own"),
        ("tools:\n- {type: python, function: shed.add, parameters: {type: array}}", "12:", "schema of an object"),
        (
            "tools:\n- {type: python, function: shed.add}\n- {type: python, function: shed.add}",
            "13:",
            "Two tools are named 'add'",
        ),
        ("tools:\n- {type: mcp, name: x}", "12:", "either 'command' or 'url'"),
        ("tools:\n- {type: mcp, name: x, command: no-such-program}", "12:", "is not found on this machine"),
        ("tools:\n- {type: mcp, name: x, url: 'ftp://x'}", "12:", "http://"),
        ("tools:\n- {type: mcp, name: x, url: 'http://x', env: {A: b}}", "12:", "'env' belongs to 'command'"),
        (f"tools:\n- {{{PIPELINE.replace('out,', 'aut,')}}}", "12:", "topic 'aut', which is not declared"),
        (f"tools:\n- {{{PIPELINE.replace(': out', ': in')}}}", "12:", "are the same"),
        ("tools:\n- {type: python, function: shed.add}\ntool-choice: ad", "13:", "names no tool of the agent: 'ad'"),
        ("tools:\n- {type: python, function: shed.add}\nmax-tool-rounds: 0", "13:", "max-tool-rounds"),
        ("tools:\n- {type: python, function: shed.add}\ntool-log-field: here", "13:", "not a place for a result"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, options: str, place: str, words: str) -> None:
    found = problems(tmp_path, options)
    assert any(f"pipeline.yaml:{place}" in problem and words in problem for problem in found), found


@pytest.mark.parametrize(
    "options",
    [
        "response-schema: {type: object}",
        'response-schema: \'{"type": "object"}\'',
        "tools:\n- {type: python, function: shed.add}\ntool-choice: add",
        "tools: {type: python, className: shed.Box}\ntool-choice: box",
        "tools:\n- {type: mcp, name: x, url: 'http://localhost:1/mcp', headers: {A: b}}\ntool-choice: required",
        f"tools:\n- {{{PIPELINE}}}",
    ],
)
def test_what_is_right_is_accepted(tmp_path: Path, options: str) -> None:
    assert problems(tmp_path, options) == []


def test_a_secret_among_the_arguments_of_a_program_is_refused_without_telling_it(tmp_path: Path) -> None:
    (tmp_path / "secrets.yaml").write_text("secrets: [{id: ai, data: {key: hush-hush}}]")
    tools = "tools:\n- {type: mcp, name: x, command: sh, args: [-k, '--key=${secrets.ai.key}']}"
    (problem,) = problems(tmp_path / "application", tools, secrets=tmp_path / "secrets.yaml")
    assert "pipeline.yaml:12:" in problem
    assert "'args' of the MCP server 'x' holds a secret" in problem
    assert "hush-hush" not in problem


def test_services_that_cannot_call_tools_are_refused_with_those_that_can(tmp_path: Path) -> None:
    tools = "tools:\n- {type: python, function: shed.add}"
    (problem,) = (found for found in problems(tmp_path, tools, LOCAL) if "cannot call tools" in found)
    assert "AI resource 'Local' (type: 'local-ai-configuration') cannot call tools" in problem
    assert "anthropic-configuration" in problem
    fallback = f"{tools}\nfallback:\n- {{ai-service: Local, model: extractive-quotes}}"
    found = problems(tmp_path, fallback, f"{BRAIN}, {LOCAL}")
    assert any("pipeline.yaml:14:" in problem and "cannot call tools" in problem for problem in found), found
