"""Profiles: the file, its commands, and what goes before it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml

from langstream.cli.profile import load_profile, read_configuration
from tests.cli.terminal import langstream

URL = "http://host:8090"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The configuration file that commands use."""
    return tmp_path / "home" / "config"


def create(name: str = "p1", *options: str) -> None:
    answer = langstream("profiles", "create", name, "--web-service-url", URL, *options)
    assert answer.out.startswith(f"profile {name} created\n"), answer.err


def test_a_created_profile_is_listed_with_its_token_masked() -> None:
    create("p1", "--token", "a-token", "--tenant", "t1", "--set-current")
    answer = langstream("profiles", "list")
    header, default, mine = answer.out.splitlines()
    assert header.split() == ["PROFILE", "WEBSERVICEURL", "TENANT", "TOKEN", "CURRENT"]
    assert default.split() == ["default", "http://localhost:8090", "default"]
    assert mine.split() == ["p1", URL, "t1", "********", "*"]
    assert len({len(header[: header.index(title)]) % 23 for title in header.split()}) == 1  # equal widths
    assert langstream("profiles", "get-current").out == "p1\n"


def test_json_and_yaml_show_everything() -> None:
    create("p1", "--token", "a-token")
    assert json.loads(langstream("profiles", "get", "p1", "-o", "json").out)["token"] == "a-token"
    assert [each["name"] for each in yaml.safe_load(langstream("profiles", "list", "-o", "yaml").out)] == [
        "default",
        "p1",
    ]


def test_the_file_is_for_its_owner_only(file: Path) -> None:
    create()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["config"]


def test_create_set_current_update_delete_tell_what_they_did() -> None:
    answer = langstream("profiles", "create", "p1", "--web-service-url", URL, "--set-current")
    assert answer.out == "profile p1 created\nprofile p1 set as current\n"
    assert langstream("profiles", "update", "p1", "--tenant", "t2").out == "profile p1 updated\n"
    assert load_profile("p1", None).tenant == "t2"
    assert load_profile("p1", None).web_service_url == URL
    assert langstream("profiles", "set-current", "default").out == "profile default set as current\n"
    assert langstream("profiles", "delete", "p1").out == "profile p1 deleted\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "p1", "--web-service-url", URL], "Profile p1 already exists"),
        (["create", "default", "--web-service-url", URL], "Profile default already exists"),
        (["delete", "p1"], "Cannot delete the current profile"),
        (["delete", "default"], "Profile name default can't be deleted"),
        (["get", "p2"], "Profile p2 not found, maybe you meant one of these: default, p1"),
        (["set-current", "p2"], "Profile p2 not found, maybe you meant one of these: default, p1"),
        (["import", "p1", "-i", "{}"], "Profile p1 already exists"),
        (["import", "p2", "-i", "[]"], "must be a JSON object"),
        (["import", "p2", "-i", "base64:!"], "not base64"),
        (["import", "p2", "-i", '{"webserviceUrl": "x"}'], "Did you mean 'webServiceUrl'?"),
    ],
)
def test_what_is_refused(arguments: list[str], told: str) -> None:
    create("p1", "--set-current")
    answer = langstream("profiles", *arguments)
    assert answer.status == 1
    assert told in answer.err


def test_an_import_replaces_and_does_not_merge(tmp_path: Path) -> None:
    create("p1", "--tenant", "t1", "--token", "a-token")
    inline = "base64:" + base64.b64encode(json.dumps({"webServiceUrl": "http://new"}).encode()).decode()
    assert langstream("profiles", "import", "p1", "-i", inline, "-u").out == "profile p1 updated\n"
    found = read_configuration(None).find("p1")
    assert found is not None
    assert (found.web_service_url, found.tenant, found.token) == ("http://new", None, None)
    given = tmp_path / "given.yaml"
    given.write_text("{webServiceUrl: http://other, tenant: t3}")
    assert langstream("profiles", "import", "p3", "-f", str(given)).out == "profile p3 created\n"


def test_an_import_needs_one_origin() -> None:
    assert langstream("profiles", "import", "p1").status == 2


def test_the_profile_option_is_not_for_profile_commands() -> None:
    assert langstream("-p", "p1", "profiles", "list").status == 2
    assert langstream("-p", "p1", "configure", "tenant", "t").status == 2


def test_configure_changes_the_default_profile() -> None:
    assert langstream("configure", "tenant", "mine").status == 0
    assert load_profile(None, None).tenant == "mine"
    assert langstream("configure", "tennant", "mine").status == 2


def test_an_unknown_profile_is_told() -> None:
    answer = langstream("-p", "nobody", "gateway", "produce", "a", "g", "-v", "x")
    assert answer.status == 1
    assert "No profile 'nobody' defined in configuration" in answer.err


def test_the_environment_goes_before_the_file() -> None:
    create("p1", "--tenant", "t1")
    environment = {"LANGSTREAM_webServiceUrl": "http://env", "LANGSTREAM_TENANT": "t-env"}
    profile = load_profile("p1", None, environment | {"LANGSTREAM_HOME": str(read_configuration(None).path.parent)})
    assert (profile.web_service_url, profile.tenant) == ("http://env", "t-env")


@pytest.mark.parametrize(
    ("url", "protocol", "expected"),
    [
        ("ws://h:1", "http", "http://h:1"),
        ("wss://h/base/", "http", "https://h/base"),
        ("https://h", "ws", "wss://h"),
        ("h:8091", "ws", "ws://h:8091"),
    ],
)
def test_the_gateway_is_reached_over_both_protocols(url: str, protocol: str, expected: str) -> None:
    profile = load_profile(None, None, {"LANGSTREAM_apiGatewayUrl": url, "LANGSTREAM_HOME": "/nowhere"})
    assert profile.gateway_url(protocol) == expected


@pytest.mark.parametrize("text", ["[1, 2]", "profiles: 3", "a: [", "profiles: {p: text}"])
def test_a_broken_file_is_told_and_kept(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    answer = langstream("profiles", "create", "p1", "--web-service-url", URL)
    assert answer.status == 1
    assert str(file) in answer.err
    assert file.read_text() == text
