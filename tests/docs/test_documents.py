"""The pages of `docs/` are true: their YAML is valid, the commands and pages that they name exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from langstream.cli.main import root
from langstream.control.gateway_settings import load_gateway_settings
from langstream.planner.check import load_and_plan
from langstream.registry import TOPICS, Registry
from tests.docs.blocks import PAGES, ROOT, Block, blocks, complete, files_of, write

BLOCKS = list(blocks())
TEXTS = sorted({*PAGES, *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")})
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELL = re.compile(r"^(?:\$ )?(langstream [^\n]*)$|`(langstream [^`]+)`", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """What headings of a page are called in addresses."""
    headings = re.findall(r"^#+ +(.+)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands() -> Iterator[tuple[str, str]]:
    """Page and command line of every command that a page names."""
    for page in TEXTS:
        for line, inline in SHELL.findall(page.read_text()):
            text = (line or inline).split(" # ")[0].replace("…", "")
            yield named(page), re.sub(r"\s+", " ", text).strip()


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_the_yaml_of_a_page_is_valid(block: Block, tmp_path: Path) -> None:
    if isinstance(block.data, dict) and "application" in block.data:
        (tmp_path / "settings.yaml").write_text(block.text)
        load_gateway_settings(tmp_path / "settings.yaml", {})
        return
    files = files_of(block.data, block.above)
    write(complete(files, block.above), tmp_path)
    plan = load_and_plan(
        tmp_path / "application",
        "app",
        instance=tmp_path / "instance.yaml",
        secrets=tmp_path / "secrets.yaml",
        environment={},
    )
    cluster = plan.application.instance.streaming
    if cluster is not None:
        Registry(TOPICS).load(cluster.type)(cluster.configuration, tmp_path)


@pytest.mark.parametrize("page", TEXTS, ids=named)
def test_every_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(FENCED.sub("", page.read_text())):
        address, _, anchor = link.partition("#")
        if re.match(r"\w+:", address):
            continue
        target = (page.parent / address).resolve() if address else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_every_command_exists_with_its_options(page: str, line: str) -> None:
    command: click.Command = root
    context = click.Context(root)
    rest = shlex.split(line)[1:]
    while rest and isinstance(command, click.Group) and not rest[0].startswith("-") and rest[0] != "COMMAND":
        found = command.get_command(context, rest.pop(0))
        assert found is not None, line
        command = found
    known = {name for parameter in command.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)}
    assert [word for word in rest if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known] == []


def test_every_extra_that_a_page_names_can_be_installed() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    told = {
        extra
        for page in TEXTS
        for names in re.findall(r"langstream\[([\w,-]+)\]", page.read_text())
        for extra in names.split(",")
    }
    assert told - set(extras) == set()
