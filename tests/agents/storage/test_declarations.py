"""The options of the sources of buckets, as they are checked when an application is planned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from langstream.agents.declaration import AGENT_TYPES
from langstream.agents.storage.s3_source import S3SourceConfiguration, create
from langstream.configuration.validation import check
from langstream.errors import AgentFailed, ApplicationRefused
from langstream.planner.check import load_and_plan
from tests.services.objects.google_server import GoogleServer
from tests.services.objects.servers import ACCOUNT_KEY

S3 = {
    "bucketName": "b",
    "endpoint": "http://localhost:9000",
    "access-key": "a",
    "secret-key": "s",
    "region": "eu-west-1",
    "idle-time": 0,
    "file-extensions": "pdf",
    "path-prefix": "in",
    "recursive": True,
    "delete-objects": False,
    "deleted-objects-topic": "gone",
    "max-object-size": "1G",
    "source-record-headers": {"a": "b"},
}
AZURE = {"endpoint": "https://account.blob.core.windows.net"}


def plan(directory: Path, type_name: str, configuration: dict[str, Any], **agent: Any) -> None:
    """Plan an application of one source; raises what is wrong with it."""
    entry = {"type": type_name, "name": "files", "output": "out", "configuration": configuration, **agent}
    topics = [{"name": name, "creation-mode": "create-if-not-exists"} for name in ("out", "gone")]
    application = directory / "application"
    application.mkdir(exist_ok=True)
    (application / "pipeline.yaml").write_text(yaml.safe_dump({"topics": topics, "pipeline": [entry]}))
    load_and_plan(application, "app")


def refusal(directory: Path, type_name: str, configuration: dict[str, Any]) -> str:
    """Why the application is refused."""
    with pytest.raises(ApplicationRefused) as caught:
        plan(directory, type_name, configuration)
    return str(caught.value)


@pytest.mark.parametrize(
    "configuration",
    [{}, {"bucketName": 12}, S3, {"access-key": None, "file-extensions": None}, {"file-extensions": "pdf,pdf"}],
)
def test_accepted_options_of_s3(tmp_path: Path, configuration: dict[str, Any]) -> None:
    plan(tmp_path, "s3-source", configuration)


def test_sources_of_buckets_may_stand_alone(tmp_path: Path) -> None:
    plan(tmp_path, "s3-source", {"composable": False})


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"a-field": "val"}, "a-field"),
        ({"username": "me"}, "username"),
        ({"bucketName": {"object": True}}, "bucketName"),
        ({"endpoint": "minio:9000"}, "expected http://HOST:PORT"),
        ({"idle-time": -1}, "idle-time"),
        ({"max-object-size": "much"}, "such as 500000, 512K, 100M or 2G"),
        ({"deleted-objects-topic": "nowhere"}, "nowhere"),
        ({"deleted-objects-topic": "gone", "emit-deletions": True}, "contradict each other"),
    ],
)
def test_refused_options_of_s3(tmp_path: Path, configuration: dict[str, Any], words: str) -> None:
    assert words in refusal(tmp_path, "s3-source", configuration)


def test_numbers_are_names_as_well() -> None:
    model, _ = check(S3SourceConfiguration, {"bucketName": 12}, subject="s3-source")
    assert model is not None
    assert model.bucket_name == "12"


def test_defaults_of_s3() -> None:
    model = S3SourceConfiguration()
    assert (model.bucket_name, model.access_key, model.secret_key) == ("langstream-source", "minioadmin", "minioadmin")
    assert (model.idle_time, model.file_extensions) == (5, "pdf,docx,html,htm,md,txt")
    assert model.delete_objects


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, ""),
        ({"region": " "}, ""),
        ({"region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com"),
        ({"region": "eu-west-1", "endpoint": "http://minio:9000"}, "http://minio:9000"),
    ],
)
def test_the_region_tells_the_endpoint_of_aws(given: dict[str, Any], address: str) -> None:
    assert S3SourceConfiguration.model_validate(given).address == address


def test_without_an_endpoint_the_source_says_what_is_missing() -> None:
    with pytest.raises(AgentFailed, match="endpoint is not set"):
        create(S3SourceConfiguration())


@pytest.mark.parametrize(
    "credential",
    [
        {"sas-token": "sv=1&sig=2"},
        {"storage-account-name": "a", "storage-account-key": ACCOUNT_KEY},
        {"storage-account-connection-string": f"AccountName=a;AccountKey={ACCOUNT_KEY}"},
    ],
)
def test_accepted_credentials_of_azure(tmp_path: Path, credential: dict[str, Any]) -> None:
    plan(tmp_path, "azure-blob-storage-source", {**AZURE, **credential})


@pytest.mark.parametrize(
    ("configuration", "words"),
    [
        ({"sas-token": "x"}, "endpoint"),
        (AZURE, "Either sas-token, account-name/account-key or account-connection-string must be provided"),
        ({**AZURE, "storage-account-name": "a"}, "storage-account-name needs storage-account-key"),
        ({**AZURE, "storage-account-key": ACCOUNT_KEY}, "storage-account-key needs storage-account-name"),
        ({**AZURE, "storage-account-connection-string": "AccountName=a"}, "holds no credential"),
        ({**AZURE, "storage-account-name": "a", "storage-account-key": "short!"}, "not Base64"),
        ({"endpoint": "", "sas-token": "x"}, "expected http://HOST:PORT"),
    ],
)
def test_refused_options_of_azure(tmp_path: Path, configuration: dict[str, Any], words: str) -> None:
    text = refusal(tmp_path, "azure-blob-storage-source", configuration)
    assert words in text
    assert "short!" not in text


def test_options_of_google(tmp_path: Path) -> None:
    account = GoogleServer().account()
    plan(tmp_path, "google-cloud-storage-source", {"service-account-json": account})
    assert "service-account-json" in refusal(tmp_path, "google-cloud-storage-source", {})
    text = refusal(tmp_path, "google-cloud-storage-source", {"service-account-json": "secret"})
    assert "expected the content of a service account's key file" in text
    assert "secret'" not in text


@pytest.mark.parametrize("name", ["s3-source", "azure-blob-storage-source", "google-cloud-storage-source"])
def test_every_type_keeps_state(name: str) -> None:
    assert AGENT_TYPES.load(name).keeps_state
