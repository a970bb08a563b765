"""Options of agents, references inside them, resources and assets are checked when an application is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from langstream.errors import ApplicationRefused

if TYPE_CHECKING:
    from tests.planner.conftest import Plan

RESOURCES = """
    configuration:
      resources:
      - {type: datasource, name: Db, configuration: {service: table-db, url: u}}
      - {type: vector-database, id: Vec, name: Vectors, configuration: {service: vectors, url: u}}
      - {type: open-ai-configuration, name: Brain, configuration: {access-key: "${secrets.ai.key}"}}
      - {type: datasource, name: Broken, configuration: {service: table-db, ulr: u}}
      - {type: datasource, name: Odd, configuration: {service: tabel-db}}
      - {type: teapot, name: Pot}
    """
SECRETS = "secrets: [{id: ai, data: {key: hush-hush}}]"


def refusals(plan: Plan, pipeline: str) -> list[str]:
    with pytest.raises(ApplicationRefused) as refused:
        plan({"pipeline.yaml": pipeline, "configuration.yaml": RESOURCES}, secrets=SECRETS)
    return [str(problem) for problem in refused.value.problems]


def agent(text: str) -> str:
    return f"topics: [{{name: known}}]\npipeline:\n- {{id: a, input: known, {text}}}\n"


@pytest.mark.parametrize(
    ("text", "place", "fragments"),
    [
        ("type: stop", "id: a", ["unknown agent type 'stop'", "Did you mean 'step'?"]),
        ("type: broken", "id: a", ["'broken', which cannot be used here", "torch"]),
        (
            "type: step, configuration: {colour: red}",
            "colour",
            ["Found error on agent configuration (agent: 'a', type: 'step'). Property 'colour' is unknown"],
        ),
        ("type: step, configuration: {composable: false}", "composable", ["Property 'composable' is unknown"]),
        ("type: optional, configuration: {composable: maybe}", "composable", ["'composable' must be true or false"]),
        (
            "type: code, name: N",
            "{id: a",
            ["Found error on agent configuration (agent: 'N', type: 'code'). Property 'className' is required"],
        ),
        (
            "type: router, configuration: {routes: [{destination: knwon}]}",
            "destination",
            ["topic 'knwon', which is not declared in module 'default'", "Did you mean 'known'?"],
        ),
        ("type: router, configuration: {routes: {when: 'a +'}}", "when", ["Property 'routes", "a +"]),
        (
            "type: router, configuration: {routes: [{when: 'true'}]}",
            "{when",
            ["A route leads nowhere", "Give it a destination."],
        ),
        (
            "type: query, configuration: {datasource: Cellar}",
            "datasource",
            ["Resource 'Cellar' not found", "'datasource'"],
        ),
        (
            "type: query, configuration: {datasource: Vectors}",
            "datasource",
            ["A resource is referred to by its id: 'Vec'"],
        ),
        (
            "type: query, configuration: {datasource: Brain}",
            "datasource",
            ["'Brain'", "'open-ai-configuration'", "'datasource' or 'vector-database'"],
        ),
        ("type: query, configuration: {datasource: Odd}", "", ["must be one of table-db, vectors", "'tabel-db'"]),
        ("type: store-sink, configuration: {datasource: Nil}", "configuration", ["Resource 'Nil' not found"]),
        ("type: store-sink, configuration: {datasource: Db}", "configuration", ["Property 'table' is required"]),
    ],
)
def test_one_mistake_is_told_where_it_is(plan: Plan, text: str, place: str, fragments: list[str]) -> None:
    found = refusals(plan, agent(text))
    for fragment in fragments:
        assert any(fragment in message for message in found), found
    line = agent(text).splitlines()[2]
    position = f"pipeline.yaml:3:{line.index(place) + 1}: " if place else "configuration.yaml:8:51: "
    assert any(message.startswith(position) for message in found), found


def test_a_broken_resource_is_told_once_at_its_own_place(plan: Plan) -> None:
    use = "{type: query, configuration: {datasource: Broken}}"
    found = refusals(plan, f"topics: [{{name: t}}]\npipeline:\n- {{type: step, input: t}}\n- {use}\n- {use}\n")
    assert len(found) == 2
    assert all(message.startswith("configuration.yaml:7:") for message in found)
    assert all("resource configuration (resource: 'Broken', type: 'datasource')" in message for message in found)
    assert any("Did you mean 'url'?" in message for message in found)


def test_resources_that_nobody_uses_only_warn(plan: Plan) -> None:
    found = plan({"pipeline.yaml": "topics: [{name: t}]", "configuration.yaml": RESOURCES}, secrets=SECRETS)
    warned = "\n".join(str(warning) for warning in found.warnings)
    for name in ("Broken", "Odd", "Pot"):
        assert f"resource: '{name}'" in warned


def test_valid_options_are_part_of_the_plan_and_secrets_are_not_shown(plan: Plan) -> None:
    text = agent("type: query, configuration: {datasource: Vec, limit: '5', token: '${secrets.ai.key}'}")
    found = plan({"pipeline.yaml": text, "configuration.yaml": RESOURCES}, secrets=SECRETS)
    (member,) = found.nodes[0].agents
    assert member.configuration.model_dump() == {"datasource": "Vec", "limit": 5, "token": "hush-hush"}
    assert "hush-hush" not in repr(found)


def test_secrets_are_blacked_out_of_refusals(plan: Plan) -> None:
    found = refusals(plan, agent("type: query, configuration: {datasource: '${secrets.ai.key}'}"))
    assert "hush-hush" not in "".join(found)
    assert "Resource '<secret>' not found" in found[0]


def test_what_the_loader_refused_is_not_told_again(plan: Plan) -> None:
    found = refusals(plan, agent("type: query, configuration: {datasource: Db, limit: '${secrets.no.where}'}"))
    assert len(found) == 1
    assert "'secrets.no.where'" in found[0]


def test_problems_of_files_and_of_options_are_told_together(plan: Plan) -> None:
    with pytest.raises(ApplicationRefused) as refused:
        plan(
            {
                "a.yaml": "topics: [{name: t, partitions: x}]\npipeline: [{type: step, configuration: {x: 1}}]",
                "b.yaml": "pipeline: [{type: nothing, input: absent}]",
                "c.yaml": "a: [",
                "gateways.yaml": "gateways: [{id: g, type: service, service-options: {agent-id: ghost}}]",
            }
        )
    files = [problem.position.file for problem in refused.value.problems if problem.position]
    assert files == ["a.yaml", "a.yaml", "b.yaml", "c.yaml", "gateways.yaml"]


def test_an_unreadable_configuration_hides_no_resource(plan: Plan) -> None:
    with pytest.raises(ApplicationRefused) as refused:
        plan({"pipeline.yaml": agent("type: query, configuration: {datasource: Db}"), "configuration.yaml": "a: ["})
    assert len(refused.value.problems) == 1


def asset(text: str) -> str:
    return f"assets:\n- {{name: people, asset-type: table, {text}}}\n"


def test_assets_are_planned_in_the_order_of_their_declaration(plan: Plan) -> None:
    text = """
        assets:
        - {name: z, asset-type: table, config: {datasource: Db, table-name: t}}
        - {name: a, asset-type: table, deletion-mode: delete,
           config: {datasource: Db, table-name: t, delete-statements: drop it}}
        """
    found = plan({"pipeline.yaml": text, "configuration.yaml": RESOURCES}, secrets=SECRETS)
    assert [planned.asset.name for planned in found.assets] == ["z", "a"]
    assert found.assets[1].configuration.model_dump()["delete_statements"] == ["drop it"]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("config: {datasource: Missing, table-name: t}", "Resource 'Missing' not found"),
        ("config: {datasource: Missing}", "Resource 'Missing' not found"),
        (
            "config: {datasource: Db}",
            "asset configuration (asset: 'people', type: 'table'). Property 'table-name' is req",
        ),
        ("config: {datasource: Brain, table-name: t}", "is of type 'open-ai-configuration', not 'datasource'"),
        ("config: {datasource: Db, table-name: t, delete-statements: [x]}", "only if deletion-mode=delete"),
        ("deletion-mode: delete, config: {datasource: Db, table-name: t}", "'delete-statements' is required"),
        ("id: x, asset-type: tables", "written twice"),
    ],
)
def test_assets_that_are_refused(plan: Plan, text: str, fragment: str) -> None:
    assert any(fragment in message for message in refusals(plan, asset(text)))


def test_an_asset_needs_a_datasource_of_its_kind_of_store(plan: Plan) -> None:
    resources = "configuration: {resources: [{type: datasource, name: V, configuration: {service: vectors, url: u}}]}"
    with pytest.raises(ApplicationRefused, match="'V' is of service 'vectors', not one of table-db"):
        plan({"p.yaml": asset("config: {datasource: V, table-name: t}"), "configuration.yaml": resources})


def test_an_unknown_asset_type_is_refused(plan: Plan) -> None:
    assert "unknown asset type 'tabel'" in refusals(plan, "assets: [{name: x, asset-type: tabel}]")[0]


def test_a_service_gateway_needs_a_service_agent(plan: Plan) -> None:
    files = {
        "pipeline.yaml": "pipeline: [{type: service, id: web}]",
        "gateways.yaml": "gateways: [{id: g, type: service, service-options: {agent-id: wbe}}]",
    }
    with pytest.raises(ApplicationRefused, match=r"names 'wbe', which is no service agent\. Did you mean 'web'"):
        plan(files)
    plan({**files, "gateways.yaml": files["gateways.yaml"].replace("wbe", "web")})
