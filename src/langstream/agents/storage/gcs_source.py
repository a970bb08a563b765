"""`google-cloud-storage-source`: the objects of a bucket of Google Cloud Storage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field

from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.storage.bucket_options import DESCRIPTION, BucketOptions, Endpoint
from langstream.agents.storage.checks import findings
from langstream.agents.storage.object_source import ObjectSource
from langstream.configuration.model import Secret, Text
from langstream.services.objects.google import ENDPOINT, GoogleStore
from langstream.services.objects.google_token import ServiceAccount


def _account(text: str) -> str:
    ServiceAccount.parse(text)
    return text


class GoogleSourceConfiguration(BucketOptions):
    """Options of `google-cloud-storage-source`."""

    bucket_name: Text = Field(
        default="langstream-gcs-source", min_length=1, description="The bucket; made if it is missing."
    )
    service_account_json: Annotated[Secret, AfterValidator(_account)] = Field(
        description="The content of the key file of a service account that may read (and delete) the objects."
    )
    endpoint: Endpoint = Field(default=ENDPOINT, description="Address of the service.")


def create(options: GoogleSourceConfiguration) -> ObjectSource:
    """The source of the bucket."""
    account = ServiceAccount.parse(options.service_account_json)
    return options.source(GoogleStore(options.bucket_name, account, options.endpoint), options.bucket_name, "bucket")


def check(options: GoogleSourceConfiguration, context: PlanContext) -> Iterable[Finding]:
    """Options that contradict each other."""
    yield from findings(options, context)


AGENT = AgentType(
    name="google-cloud-storage-source",
    component_type=ComponentType.SOURCE,
    configuration=GoogleSourceConfiguration,
    create=create,
    check=check,
    summary="Reads the objects of a Google Cloud Storage bucket as records.",
    description=DESCRIPTION,
    composable=Composable.OPTIONAL,
    family="storage",
    keeps_state=True,
    example="""\
- type: google-cloud-storage-source
  output: files
  configuration:
    bucket-name: inbox
    service-account-json: "${secrets.google.service-account-json}"
    deleted-objects-topic: gone
    delete-objects: false
""",
)
