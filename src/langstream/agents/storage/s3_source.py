"""`s3-source`: the objects of a bucket of S3, MinIO or another store of that protocol."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.storage.bucket_options import DESCRIPTION, BucketOptions, Endpoint
from langstream.agents.storage.checks import findings
from langstream.agents.storage.object_source import ObjectSource
from langstream.configuration.model import Secret, Text
from langstream.errors import AgentFailed
from langstream.services.objects.s3 import S3Store

UNSET_ENDPOINT = "http://minio-endpoint.-not-set:9090"


class S3SourceConfiguration(BucketOptions):
    """Options of `s3-source`."""

    bucket_name: Text = Field(
        default="langstream-source", min_length=1, alias="bucketName", description="The bucket; made if it is missing."
    )
    endpoint: Endpoint = Field(
        default=UNSET_ENDPOINT,
        description="Address of the service, such as `https://s3.eu-west-1.amazonaws.com`. "
        "May be left out where `region` is given: then it is the one of AWS.",
    )
    access_key: Secret = Field(default="minioadmin", description="Access key. Empty: requests are not signed.")
    secret_key: Secret = Field(default="minioadmin", description="Secret key.")
    region: Text = Field(default="", description="Region of the bucket; `us-east-1` if not given.")

    @property
    def address(self) -> str:
        """The endpoint to use; empty if there is none."""
        if self.endpoint != UNSET_ENDPOINT:
            return self.endpoint
        region = self.region.strip()
        return f"https://s3.{region}.amazonaws.com" if region else ""


def create(options: S3SourceConfiguration) -> ObjectSource:
    """The source of the bucket."""
    if not options.address:
        raise AgentFailed("endpoint is not set: expected the address of the service, or region for the one of AWS")
    store = S3Store(
        options.address, options.bucket_name, options.access_key, options.secret_key, options.region.strip()
    )
    return options.source(store, options.bucket_name, "bucketName")


def check(options: S3SourceConfiguration, context: PlanContext) -> Iterable[Finding]:
    """Options that contradict each other."""
    yield from findings(options, context)


AGENT = AgentType(
    name="s3-source",
    component_type=ComponentType.SOURCE,
    configuration=S3SourceConfiguration,
    create=create,
    check=check,
    summary="Reads the objects of an S3 bucket as records.",
    description=DESCRIPTION,
    composable=Composable.OPTIONAL,
    family="storage",
    keeps_state=True,
    example="""\
- type: s3-source
  output: files
  configuration:
    endpoint: http://minio.example.net:9000
    bucketName: inbox
    access-key: "${secrets.s3.access-key}"
    secret-key: "${secrets.s3.secret-key}"
    path-prefix: reports/
    recursive: true
    file-extensions: pdf,docx
""",
)
