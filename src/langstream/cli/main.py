"""The root command. Sub-commands are named here with their help and imported only when called: help is instant."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any

import click

from langstream import __version__
from langstream.cli.failure import report
from langstream.cli.groups import Group

_COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("langstream.cli.run:run", "Run an application in this process."),
    "validate": ("langstream.cli.plan:validate", "Check an application; print every problem it has."),
    "plan": ("langstream.cli.plan:plan", "Show what running an application would create."),
    "init": ("langstream.cli.init:init", "Write a starter application."),
    "gateway": ("langstream.cli.gateway:gateway", "Talk to the gateways of a running application."),
    "topics": ("langstream.cli.topics:topics", "List, write and read topics."),
    "docs": ("langstream.cli.docs:docs", "Reference of agents, resources and assets."),
    "profiles": ("langstream.cli.profiles:profiles", "Keep addresses and tokens under names."),
    "configure": ("langstream.cli.profiles:configure", "Set a value of the default profile (deprecated)."),
}


_START = """\b
Start with:
  langstream init my-app
  langstream run -app my-app/application
`langstream COMMAND --help` tells more about a command.
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Options given before the sub-command."""

    verbose: bool
    debug: bool
    profile: str | None
    configuration: str | None


class LazyGroup(Group):
    """A group whose commands are imported when they are called, not when they are listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=_START,
)
@click.option("--conf", metavar="FILE", help="Configuration file with profiles (default: ~/.langstream/config).")
@click.option("-p", "--profile", metavar="NAME", help="Profile to use.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.option("--debug", is_flag=True, help="Show stack traces of errors.")
@click.version_option(__version__, prog_name="langstream")
@click.pass_context
def root(ctx: click.Context, conf: str | None, profile: str | None, verbose: bool, debug: bool) -> None:
    """Event-driven generative-AI applications: declared in YAML, run anywhere."""
    ctx.obj = Settings(verbose=verbose, debug=debug, profile=profile, configuration=conf)


def main(arguments: list[str] | None = None) -> Any:
    """Entry point of the command. Exit status: 0 done, 1 failed or refused, 2 wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return root.main(args=arguments, prog_name="langstream", standalone_mode=True)
    except Exception as error:  # every failure becomes a message for people
        report(error, debug="--debug" in arguments)
        sys.exit(1)
