"""The settings file of the gateway."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from textwrap import dedent

import pytest

from langstream.control.gateway_settings import Limits, load_gateway_settings
from langstream.errors import ApplicationRefused
from langstream.gateway.settings import GatewaySettings


def load(tmp_path: Path, text: str, **environment: str) -> GatewaySettings:
    file = tmp_path / "gateway.yaml"
    file.write_text(dedent(text))
    return load_gateway_settings(file, environment)


def refusals(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ApplicationRefused) as refused:
        load(tmp_path, text)
    return [str(problem) for problem in refused.value.problems]


def test_what_a_file_leaves_open_is_as_usual(tmp_path: Path) -> None:
    assert load(tmp_path, "application: {}") == GatewaySettings()


def test_everything_that_may_be_set(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        """
        application:
          gateways:
            auth:
              test: {type: http, configuration: {base-url: "https://${HOST}", path-template: "/check/{tenant}"}}
            limits: {max-connections: 5, messages-per-second: 2.5}
          security:
            cors: {allowed-origins: ["https://example.org"]}
          topics: {producers-cache-enabled: false, producers-cache-size: 7}
        """,
        HOST="users.example.org",
    )
    assert (settings.max_connections, settings.messages_per_second) == (5, 2.5)
    assert settings.cors_origins == ("https://example.org",)
    assert (settings.producer_cache_enabled, settings.producer_cache_size) == (False, 7)
    assert settings.test_provider == "http"
    assert settings.test_provider_configuration["base-url"] == "https://users.example.org"


def test_every_limit_is_one_of_the_gateway(tmp_path: Path) -> None:
    assert set(Limits.model_fields) <= {field.name for field in fields(GatewaySettings)}


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    text = "application:\n  gateways:\n    limits: {max-conections: 1, max-body-bytes: -1}\n  securty: {}\n"
    told = refusals(tmp_path, text)
    assert len(told) == 3
    assert any(problem.startswith("gateway.yaml:3:14") and "max-connections" in problem for problem in told)
    assert any(problem.startswith("gateway.yaml:3:33") for problem in told)
    assert any(problem.startswith("gateway.yaml:4:3") and "security" in problem for problem in told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("application: {gateways: {auth: {test: {type: jwtt}}}}", "Did you mean 'jwt'?"),
        ("application: {gateways: {auth: {test: {type: google}}}}", "clientId"),
        ("[1]", "must be a mapping"),
        ("", "must be a mapping"),
        ("application: {", "not valid YAML"),
        ("gateways: {}", "application"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, told: str) -> None:
    assert any(told in problem for problem in refusals(tmp_path, text))


def test_secrets_of_the_test_provider_are_not_shown(tmp_path: Path) -> None:
    text = "application: {gateways: {auth: {test: {type: jwt, configuration: {secretKey: hush-hush}}}}}"
    assert "hush-hush" not in repr(load(tmp_path, text))


def test_the_documented_file_has_the_settings_that_hold_without_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/gateways.md").read_text(encoding="utf-8")
    blocks = [block for block in page.split("```") if block.startswith("yaml\napplication:")]
    (block,) = blocks
    settings = load(tmp_path, block.removeprefix("yaml\n"))
    assert settings.test_provider == "http"
    untested = replace(settings, test_provider=None, test_provider_configuration={})
    assert untested == GatewaySettings()
