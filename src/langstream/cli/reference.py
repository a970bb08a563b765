"""The generated reference: pages made from the declarations of agents, resources, stores and assets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Final

from langstream.agents.declaration import AGENT_TYPES, AgentType
from langstream.cli import examples
from langstream.cli.examples import Example
from langstream.cli.failure import UnknownName
from langstream.configuration.validation import did_you_mean
from langstream.registry import AI, ASSETS, STORES, Registry

_LANGUAGES: Final[Mapping[str, str]] = {".yaml": "yaml", ".py": "python"}
_INTRODUCTIONS: Final[Mapping[str, str]] = {
    "agents": "The options of each agent stand under its `configuration`. What every agent has beside it (`input`, "
    "`output`, `errors`, `resources`) is told in [applications](../../applications.md#pipelines).",
    "resources": "AI services: entries of `resources` in `configuration.yaml`, for agents that need a model. See "
    "[AI services](../../ai-services.md).",
    "stores": "Data stores: entries of `resources` in `configuration.yaml` with the type `datasource` or "
    "`vector-database`; `service` says which store it is. See [stores](../../stores.md).",
    "assets": "Tables, collections and the like: entries of `assets` in a pipeline file, made before the application "
    "starts if `creation-mode` says so, and deleted with it if `deletion-mode` does. Options stand under `config`.",
}
_RESOURCES, _STORES, _ASSETS = Registry(AI), Registry(STORES), Registry(ASSETS)


def index() -> str:
    """Every documented name with its summary, by family."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in AGENT_TYPES.names():
        declared: AgentType = AGENT_TYPES.load(name)
        groups.setdefault(f"Agents: {declared.family or 'other'}", []).append((name, declared.summary))
    groups["Resources: AI services"] = [(name, _RESOURCES.load(name).summary) for name in _RESOURCES.names()]
    groups["Resources: data stores (service of a datasource)"] = [
        (name, _STORES.load(name).summary) for name in _STORES.names()
    ]
    groups["Assets"] = [(name, _ASSETS.load(name).summary) for name in _ASSETS.names()]
    width = max(len(name) for rows in groups.values() for name, _ in rows)
    sections = [
        "\n".join([title, *(f"  {name:<{width}}  {_first_sentence(summary)}" for name, summary in rows)])
        for title, rows in sorted(groups.items())
        if rows
    ]
    return "\n\n".join(sections) + "\n\nlangstream docs NAME shows the options of one."


def page(name: str) -> str:
    """The page of one agent type, resource, store or asset, as Markdown. Raises UnknownName."""
    for build in _builders():
        text: str | None = build(name)
        if text is not None:
            return text
    known = [*AGENT_TYPES.names(), *_RESOURCES.names(), *_STORES.names(), *_ASSETS.names()]
    raise UnknownName(f"nothing is called {name!r}", did_you_mean(name, known) or "langstream docs lists every name")


def write_pages(directory: Path) -> Iterator[Path]:
    """Write every page below the directory: `agents/…`, `resources/…`, `stores/…`, `assets/…`, and an index each."""
    families = (("agents", AGENT_TYPES), ("resources", _RESOURCES), ("stores", _STORES), ("assets", _ASSETS))
    for (folder, registry), build in zip(families, _builders(), strict=True):
        (directory / folder).mkdir(parents=True, exist_ok=True)
        for name in registry.names():
            path = directory / folder / f"{name}.md"
            path.write_text(build(name) or "", encoding="utf-8")
            yield path
        lines = [f"- [{name}]({name}.md) — {_first_sentence(registry.load(name).summary)}" for name in registry.names()]
        overview = directory / folder / "index.md"
        head = f"# {folder.capitalize()}\n\n{_INTRODUCTIONS[folder]}\n\n"
        overview.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
        yield overview


def _builders() -> tuple[Any, ...]:
    return _agent_page, _resource_page, _store_page, _asset_page


def _agent_page(name: str) -> str | None:
    if name not in AGENT_TYPES:
        return None
    declared: AgentType = AGENT_TYPES.load(name)
    fused = {"always": "yes", "optional": "yes, unless `composable: false`", "never": "no"}[declared.composable.value]
    parts = [
        f"# {name}",
        declared.summary,
        f"- role: {declared.component_type.value.lower()}\n- fused with its neighbours: {fused}",
    ]
    if declared.description:
        parts.append(declared.description.strip())
    if isinstance(declared.configuration, type):
        parts.append(_options(declared.configuration))
    else:
        parts.append(_options_of_stores())
    return _with_example(parts, examples.of_agent(declared))


def _options_of_stores() -> str:
    sinks = [name for name in _STORES.names() if _STORES.load(name).sink_configuration is not None]
    links = ", ".join(f"[{name}](../stores/{name}.md)" for name in sinks)
    return f"## Options\n\nThe options depend on the data store; its page has them: {links}."


def _resource_page(name: str) -> str | None:
    if name not in _RESOURCES:
        return None
    declared = _RESOURCES.load(name)
    return _with_example(
        [f"# {name}", declared.summary, _options(declared.configuration)], examples.of_provider(declared)
    )


def _store_page(name: str) -> str | None:
    if name not in _STORES:
        return None
    declared = _STORES.load(name)
    kinds = " or ".join(f"`{kind}`" for kind in declared.resource_types)
    parts = [f"# {name}", declared.summary, f"- resource type: {kinds}", _options(declared.configuration)]
    if declared.sink_configuration is not None:
        parts.append(_options(declared.sink_configuration, "Options of `vector-db-sink`"))
    return _with_example(parts, examples.of_store(declared))


def _asset_page(name: str) -> str | None:
    if name not in _ASSETS:
        return None
    declared = _ASSETS.load(name)
    services = ", ".join(f"[{service}](../stores/{service}.md)" for service in declared.services)
    parts = [f"# {name}", declared.summary, f"- data stores: {services}", _options(declared.configuration)]
    return _with_example(parts, examples.of_asset(declared))


def _with_example(parts: Sequence[str], example: Example) -> str:
    """The page: its parts, and the files of the example as they can be copied."""
    blocks = [
        _block(f"`{name}`", text, _LANGUAGES.get(PurePath(name).suffix, "text")) for name, text in example.files.items()
    ]
    if example.secrets:
        blocks.append(_block("`secrets.yaml`, beside the application's directory", example.secrets))
    if example.input:
        blocks.append(_block("Records", example.input))
    if example.output:
        blocks.append(_block("What comes of them" if example.input else "What comes of it", example.output))
    return "\n\n".join([*parts, *(["## Example", *blocks] if blocks else [])]) + "\n"


def _block(title: str, text: str, language: str = "yaml") -> str:
    return f"{title}:\n\n```{language}\n{text.strip(chr(10))}\n```"


def _options(model: Any, title: str = "Options") -> str:
    from langstream.configuration.options import options

    rows = [
        f"| `{option.name}` | {_cell(option.type)} | {'yes' if option.required else 'no'} | {_cell(option.default)} "
        f"| {_cell(option.description)} |"
        for option in options(model)
    ]
    if not rows:
        return f"## {title}\n\nNone."
    return "\n".join(
        [f"## {title}", "", "| Option | Type | Required | Default | Meaning |", "|---|---|---|---|---|", *rows]
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _first_sentence(text: str) -> str:
    return text.strip().split("\n")[0]
