"""Commands that finish at once."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from langstream.cli.main import root

EXAMPLES = Path(__file__).parents[2] / "examples"
CHAT = ["-app", str(EXAMPLES / "chat-with-docs/application"), "-i", str(EXAMPLES / "chat-with-docs/instance.yaml")]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(root, list(arguments))


def test_help_teaches_where_to_start() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "langstream init" in result.output
    assert all(name in result.output for name in ("run", "plan", "validate", "gateway", "topics", "docs"))


def test_a_misspelt_command_comes_with_a_guess() -> None:
    result = run("vlidate")
    assert result.exit_code == 2
    assert "Did you mean 'validate'?" in result.output


def test_a_valid_application_is_called_valid() -> None:
    result = run("validate", "chat", *CHAT)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("chat is valid: 2 nodes")


def test_the_plan_has_the_documented_shape() -> None:
    result = run("plan", "chat", *CHAT, "-o", "json")
    plan = json.loads(result.output)
    assert {"topics", "assets", "agents"} <= set(plan)
    (ingest, answer) = sorted(plan["agents"], key=lambda agent: agent["id"] == "answer")
    assert ingest["input"] is None
    assert answer["output"] == {"topic": "conversations"}
    assert [member["type"] for member in answer["agents"]][-1] == "ai-chat-completions"


@pytest.mark.parametrize("output", ["tree", "yaml", "mermaid"])
def test_the_plan_comes_in_other_forms(output: str) -> None:
    result = run("plan", "chat", *CHAT, "-o", output)
    assert result.exit_code == 0, result.output
    assert "conversations" in result.output


def test_the_id_defaults_to_the_directory_of_the_application() -> None:
    assert run("validate", *CHAT).output.startswith("chat-with-docs is valid")


def test_init_writes_an_application_that_is_valid(tmp_path: Path) -> None:
    result = run("init", str(tmp_path / "mine"))
    assert result.exit_code == 0, result.output
    application = ["-app", str(tmp_path / "mine/application"), "-i", str(tmp_path / "mine/instance.yaml")]
    secrets = ["-s", str(tmp_path / "mine/secrets.yaml")]
    assert run("validate", "mine", *application, *secrets).exit_code == 0


def test_init_overwrites_nothing_unless_told(tmp_path: Path) -> None:
    run("init", str(tmp_path / "mine"))
    assert "already has" in run("init", str(tmp_path / "mine")).output
    assert run("init", str(tmp_path / "mine"), "--force").exit_code == 0


def test_docs_lists_and_explains() -> None:
    index = run("docs")
    assert "text-splitter" in index.output
    page = run("docs", "text-splitter")
    assert "| `chunk_size` |" in page.output


def test_every_agent_resource_store_and_asset_has_a_page(tmp_path: Path) -> None:
    result = run("docs", "--write", str(tmp_path))
    assert result.exit_code == 0, result.output
    pages = sorted(path.stem for path in tmp_path.glob("agents/*.md"))
    assert {"ai-chat-completions", "python-processor", "vector-db-sink"} <= set(pages)


@pytest.mark.parametrize("example", sorted(path.parent.name for path in EXAMPLES.glob("*/application")))
def test_every_example_is_valid(example: str) -> None:
    files = {"-i": EXAMPLES / example / "instance.yaml", "-s": EXAMPLES / example / "secrets.yaml"}
    options = [part for option, file in files.items() if file.exists() for part in (option, str(file))]
    result = run("validate", "-app", str(EXAMPLES / example / "application"), *options)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["gateway", "prodce"], "Did you mean 'produce'?"),
        (["topics", "xyz"], "Commands: consume, list, produce."),
        (["profiles", "lst"], "Did you mean 'list'?"),
    ],
)
def test_misspelt_sub_commands_come_with_a_guess(arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.output


COMMANDS = [
    [], ["run"], ["validate"], ["plan"], ["init"], ["docs"], ["configure"],
    *(["gateway", name] for name in ("produce", "consume", "chat", "service")),
    *(["topics", name] for name in ("list", "produce", "consume")),
    *(["profiles", name] for name in ("create", "update", "import", "list", "get")),
    *(["profiles", name] for name in ("get-current", "set-current", "delete")),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_and_every_option_is_explained(command: list[str]) -> None:
    found: click.Command = root
    with click.Context(root) as context:
        for name in command:
            assert isinstance(found, click.Group)
            next_command = found.get_command(context, name)
            assert next_command is not None
            found = next_command
    assert found.help
    options = [parameter for parameter in found.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_reference_pages_are_rendered_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import sys

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "xterm")
    from langstream.cli.docs import docs

    docs.main(["text-splitter"], standalone_mode=False)
    assert "chunk_size" in screen.getvalue()
    assert "| `chunk_size` |" not in screen.getvalue()


def test_help_imports_nothing_of_an_application() -> None:
    import subprocess
    import sys

    program = (
        "import sys\nfrom langstream.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = ('pydantic', 'yaml', 'asyncio', 'aiohttp', 'starlette', 'rich', 'langstream.planner')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stderr == "[]\n"
