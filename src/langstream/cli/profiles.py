"""`langstream profiles` and `langstream configure`: addresses and tokens kept under names."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml

from langstream.cli.failure import Refusal
from langstream.cli.groups import Group
from langstream.cli.main import Settings
from langstream.cli.profile import DEFAULT, FIELDS, ConfigurationFile, Profile, read_configuration
from langstream.configuration.validation import did_you_mean

Command = TypeVar("Command", bound=Callable[..., Any])

_SET_CURRENT = click.option("--set-current", is_flag=True, help="Make it the current profile.")
_OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["raw", "json", "yaml"]), default="raw", show_default=True, help="Form."
)


def _addresses(command: Command) -> Command:
    for option in (
        click.option("--token", help="Bearer token for the control plane."),
        click.option("--tenant", help="Tenant."),
        click.option("--api-gateway-url", help="Address of the gateway, for instance ws://localhost:8091."),
        click.option("--web-service-url", help="Address of the control plane, for instance http://localhost:8090."),
    ):
        command = option(command)
    return command


@click.group(cls=Group)
@click.pass_obj
def profiles(settings: Settings, /) -> None:
    """Keep addresses and tokens under names; `langstream -p NAME …` uses them.

    They are in ~/.langstream/config (or `--conf FILE`), which only you can read.
    """
    if settings.profile:
        raise click.UsageError("--profile chooses a profile for other commands; here the profile is an argument")


@profiles.command()
@click.argument("name")
@_addresses
@_SET_CURRENT
@click.pass_obj
def create(settings: Settings, /, name: str, set_current: bool, **given: str | None) -> None:
    """Make a new profile; --web-service-url is required."""
    configuration = read_configuration(settings.configuration)
    _refuse_existing(configuration, name)
    if not given["web_service_url"]:
        raise click.UsageError("--web-service-url is required")
    base = Profile()
    filled = {key: given[key] or getattr(base, key) for key in FIELDS.values()}
    _write(configuration.having(Profile(name, **filled)), name, "created", set_current=set_current)


@profiles.command()
@click.argument("name")
@_addresses
@_SET_CURRENT
@click.pass_obj
def update(settings: Settings, /, name: str, set_current: bool, **given: str | None) -> None:
    """Change what is given; the rest of the profile stays."""
    configuration = read_configuration(settings.configuration)
    changes = {key: value for key, value in given.items() if value is not None}
    changed = replace(_existing(configuration, name), **changes)
    _write(configuration.having(changed), name, "updated", set_current=set_current)


@profiles.command("import")
@click.argument("name")
@click.option("-f", "--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File, JSON or YAML.")
@click.option("-i", "--inline", help="JSON, or `base64:` and its base64 form.")
@click.option(
    "-u", "--update", is_flag=True, help="Replace the profile if there is one; fields not given become empty."
)
@_SET_CURRENT
@click.pass_obj
def import_profile(
    settings: Settings, /, name: str, file: Path | None, inline: str | None, update: bool, set_current: bool
) -> None:
    """Take a profile from a file or from JSON."""
    if (file is None) == (inline is None):
        raise click.UsageError("give exactly one of --file and --inline")
    configuration = read_configuration(settings.configuration)
    exists = configuration.find(name) is not None
    if not update:
        _refuse_existing(configuration, name)
    profile = Profile.read(name, _imported(file.read_text(encoding="utf-8") if file else _plain(str(inline))))
    if not profile.web_service_url:
        raise Refusal("webServiceUrl is required in an imported profile")
    _write(configuration.having(profile), name, "updated" if exists else "created", set_current=set_current)


@profiles.command("list")
@_OUTPUT
@click.pass_obj
def list_profiles(settings: Settings, /, output: str) -> None:
    """Every profile; the current one has a star."""
    configuration = read_configuration(settings.configuration)
    found = [profile for name in configuration.names() if (profile := configuration.find(name))]
    if output == "raw":
        click.echo(_table(found, configuration.current))
    else:
        click.echo(_structured([_shown(each) for each in found], output))


@profiles.command()
@click.argument("name")
@_OUTPUT
@click.pass_obj
def get(settings: Settings, /, name: str, output: str) -> None:
    """One profile; its token is shown with -o json and -o yaml only."""
    configuration = read_configuration(settings.configuration)
    profile = _existing(configuration, name)
    if output == "raw":
        click.echo(_table([profile], configuration.current))
    else:
        click.echo(_structured(_shown(profile), output))


@profiles.command("get-current")
@click.pass_obj
def get_current(settings: Settings, /) -> None:
    """The name of the current profile."""
    click.echo(read_configuration(settings.configuration).current)


@profiles.command("set-current")
@click.argument("name")
@click.pass_obj
def set_current(settings: Settings, /, name: str) -> None:
    """Use this profile from now on."""
    configuration = read_configuration(settings.configuration)
    _existing(configuration, name)
    replace(configuration, current=name).write()
    click.echo(f"profile {name} set as current")


@profiles.command()
@click.argument("name")
@click.pass_obj
def delete(settings: Settings, /, name: str) -> None:
    """Forget a profile."""
    configuration = read_configuration(settings.configuration)
    if name == DEFAULT:
        raise Refusal(f"Profile name {DEFAULT} can't be deleted")
    _existing(configuration, name)
    if name == configuration.current:
        raise Refusal("Cannot delete the current profile")
    configuration.without(name).write()
    click.echo(f"profile {name} deleted")


@click.command(deprecated=True)
@click.argument("key", type=click.Choice(list(FIELDS)))
@click.argument("value")
@click.pass_obj
def configure(settings: Settings, /, key: str, value: str) -> None:
    """Set one value of the default profile; `langstream profiles update default` does the same."""
    if settings.profile:
        raise click.UsageError("--profile cannot be used here: configure changes the default profile")
    configuration = read_configuration(settings.configuration)
    configuration.having(replace(configuration.root, **{FIELDS[key]: value})).write()


def _write(configuration: ConfigurationFile, name: str, done: str, *, set_current: bool) -> None:
    if set_current:
        configuration = replace(configuration, current=name)
    configuration.write()
    click.echo(f"profile {name} {done}")
    if set_current:
        click.echo(f"profile {name} set as current")


def _existing(configuration: ConfigurationFile, name: str) -> Profile:
    profile = configuration.find(name)
    if profile is None:
        names = configuration.names()
        hint = did_you_mean(name, names)
        message = f"Profile {name} not found, maybe you meant one of these: {', '.join(names)}"
        raise Refusal(f"{message}. {hint}" if hint else message)
    return profile


def _refuse_existing(configuration: ConfigurationFile, name: str) -> None:
    if configuration.find(name) is not None:
        raise Refusal(f"Profile {name} already exists")


def _plain(text: str) -> str:
    if not text.startswith("base64:"):
        return text
    try:
        return base64.b64decode(text.removeprefix("base64:"), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Refusal("what follows base64: is not base64 of text") from None


def _imported(text: str) -> dict[str, Any]:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        raise Refusal("an imported profile must be a JSON object (or YAML mapping)")
    unknown = [key for key in document if key not in {*FIELDS, "name"}]
    if unknown:
        hint = did_you_mean(str(unknown[0]), FIELDS) or f"Known fields: {', '.join(FIELDS)}."
        raise Refusal(f"an imported profile has the unknown field '{unknown[0]}'. {hint}")
    return document


def _shown(profile: Profile) -> dict[str, str | None]:
    return {"name": profile.name, **profile.document()}


def _structured(content: Any, output: str) -> str:
    if output == "yaml":
        return yaml.safe_dump(content, sort_keys=True, explicit_start=True, allow_unicode=True).rstrip("\n")
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)


def _table(found: Sequence[Profile], current: str) -> str:
    rows = [["PROFILE", "WEBSERVICEURL", "TENANT", "TOKEN", "CURRENT"]]
    rows += [
        [
            each.name,
            each.web_service_url or "",
            each.tenant or "",
            "********" if each.token else "",
            "*" if each.name == current else "",
        ]
        for each in found
    ]
    width = max(len(cell) for row in rows for cell in row) + 2
    return "\n".join("".join(cell.ljust(width) for cell in row).rstrip() for row in rows)
