"""`azure-blob-storage-source`: the blobs of a container."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType, Composable, Finding, PlanContext
from langstream.agents.storage.bucket_options import DESCRIPTION, BucketOptions, Endpoint
from langstream.agents.storage.checks import findings
from langstream.agents.storage.object_source import ObjectSource
from langstream.configuration.model import Secret, Text
from langstream.errors import AgentFailed
from langstream.services.objects.azure import AzureCredential, AzureStore
from langstream.services.objects.shared_key import is_account_key

NO_CREDENTIAL = "Either sas-token, account-name/account-key or account-connection-string must be provided"


class AzureSourceConfiguration(BucketOptions):
    """Options of `azure-blob-storage-source`."""

    endpoint: Endpoint = Field(description="Address of the account, such as `https://ACCOUNT.blob.core.windows.net`.")
    container: Text = Field(
        default="langstream-azure-source", min_length=1, description="The container; made if it is missing."
    )
    sas_token: Secret | None = Field(default=None, description="A shared access signature; used before the others.")
    storage_account_name: Text | None = Field(default=None, description="Name of the account, with its key.")
    storage_account_key: Secret | None = Field(default=None, description="A key of the account.")
    storage_account_connection_string: Secret | None = Field(
        default=None, description="A connection string. Only its credential is used; `endpoint` says where."
    )
    recursive: bool = Field(default=True, description="Whether objects with a further `/` in their names are read.")

    def credential(self) -> AzureCredential | None:
        """The first credential given, or None."""
        if self.sas_token:
            return AzureCredential(sas_token=self.sas_token)
        if self.storage_account_name and self.storage_account_key:
            return AzureCredential(account_name=self.storage_account_name, account_key=self.storage_account_key)
        if self.storage_account_connection_string:
            return AzureCredential.from_connection_string(self.storage_account_connection_string)
        return None


def create(options: AzureSourceConfiguration) -> ObjectSource:
    """The source of the container."""
    credential = options.credential()
    if credential is None:
        raise AgentFailed(NO_CREDENTIAL)
    return options.source(AzureStore(options.endpoint, options.container, credential), options.container, "container")


def check(options: AzureSourceConfiguration, context: PlanContext) -> Iterable[Finding]:
    """There must be a whole credential."""
    yield from findings(options, context)
    credential = options.credential()
    name, key = options.storage_account_name, options.storage_account_key
    if not options.sas_token and bool(name) is not bool(key):
        given, missing = ("name", "key") if name else ("key", "name")
        yield Finding(f"storage-account-{given} needs storage-account-{missing}", (f"storage-account-{given}",))
    elif credential is None and options.storage_account_connection_string:
        yield Finding(
            "the connection string holds no credential",
            ("storage-account-connection-string",),
            "Expected AccountName and AccountKey, or SharedAccessSignature",
        )
    elif credential is None:
        yield Finding(NO_CREDENTIAL)
    elif credential.account_key and not is_account_key(credential.account_key):
        option = "key" if key else "connection-string"
        yield Finding("the account key is not Base64", (f"storage-account-{option}",), "Copy the whole key")


AGENT = AgentType(
    name="azure-blob-storage-source",
    component_type=ComponentType.SOURCE,
    configuration=AzureSourceConfiguration,
    create=create,
    check=check,
    summary="Reads the blobs of an Azure container as records.",
    description=DESCRIPTION,
    composable=Composable.OPTIONAL,
    family="storage",
    keeps_state=True,
    example="""\
- type: azure-blob-storage-source
  output: files
  configuration:
    endpoint: https://account.blob.core.windows.net
    container: inbox
    sas-token: "${secrets.azure.sas-token}"
    delete-objects: false
""",
)
