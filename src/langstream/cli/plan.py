"""`langstream plan` and `langstream validate`."""

from __future__ import annotations

from pathlib import Path

import click

from langstream.cli.failure import warn
from langstream.cli.options import application_options, name_of
from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan


@click.command()
@application_options
@click.option(
    "-o", "--output", type=click.Choice(["tree", "json", "yaml", "mermaid"]), default="tree", show_default=True,
    help="How to print the plan.",
)  # fmt: skip
def plan(
    application_id: str | None, directory: Path, instance: Path | None, secrets: Path | None, tenant: str, output: str
) -> None:
    """Show the topics, assets and nodes that running an application creates.

    Agents that share a node are fused: records pass between them as objects. Nothing is created.

    \b
    Examples:
      langstream plan -app my-app/application
      langstream plan -app my-app/application -o mermaid
    """
    click.echo(rendered(_planned(application_id, directory, instance, secrets, tenant), output))


@click.command()
@application_options
@click.option(
    "--check-services", is_flag=True,
    help="Connect to the AI services, data stores and streaming cluster too: credentials, models, addresses.",
)  # fmt: skip
def validate(
    application_id: str | None,
    directory: Path,
    instance: Path | None,
    secrets: Path | None,
    tenant: str,
    check_services: bool,
) -> None:
    """Check an application and print every problem it has, each with its file, line and column.

    What is allowed but probably not meant is told as a warning. The exit status is 1 if the application is refused.

    With --check-services, every service of configuration.yaml and of the instance is asked, for 10 seconds at most:
    does it answer, does it take the credentials, does it have the models. Nothing is created or generated. The exit
    status is 1 if one of them cannot be used.

    \b
    Examples:
      langstream validate -app my-app/application
      langstream validate -app my-app/application -i instance.yaml -s secrets.yaml --check-services
    """
    checked = _planned(application_id, directory, instance, secrets, tenant)
    nodes, topics, gateways = len(checked.nodes), len(checked.topics), len(checked.application.gateways)
    click.echo(
        f"{checked.application_id} is valid: {_count(nodes, 'node')}, {_count(topics, 'topic')}, "
        f"{_count(gateways, 'gateway')}."
    )
    warn(checked.warnings)
    if check_services:
        from langstream.cli.checking import report_services

        report_services(checked)


def rendered(checked: ExecutionPlan, output: str) -> str:
    """The plan as text."""
    from langstream.planner import rendering

    if output == "tree":
        return rendering.to_tree(checked)
    if output == "mermaid":
        return rendering.to_mermaid(checked)
    document = rendering.to_document(checked)
    if output == "yaml":
        import yaml

        text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
        return text.rstrip("\n")
    import orjson

    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _planned(
    application_id: str | None, directory: Path, instance: Path | None, secrets: Path | None, tenant: str
) -> ExecutionPlan:
    return load_and_plan(
        directory, name_of(directory, application_id), instance=instance, secrets=secrets, tenant=tenant
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
