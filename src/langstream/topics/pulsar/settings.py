"""Settings of the Pulsar broker: where it is, who we are, and where topics are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import Field

from langstream.configuration.model import Configuration
from langstream.errors import ApplicationRefused, Problem
from langstream.topics.pulsar.options import check_client
from langstream.topics.pulsar.security import Credentials, Tls, credentials, tls

ADMIN_URL: Final = "http://localhost:8080"
SERVICE_URL: Final = "pulsar://localhost:6650"
_CAMEL: Final = {
    "defaultTenant": "default-tenant",
    "defaultNamespace": "default-namespace",
    "defaultRetentionPolicies": "default-retention-policies",
    "retentionTimeInMinutes": "retention-time-in-minutes",
    "retentionSizeInMB": "retention-size-in-mb",
    "retentionSizeInMb": "retention-size-in-mb",
}


class RetentionPolicies(Configuration):
    """How long records are kept that every subscription has acknowledged."""

    retention_time_in_minutes: int | None = Field(default=None, ge=-1, description="-1 keeps them for ever.")
    retention_size_in_mb: int | None = Field(default=None, ge=-1, description="-1 sets no limit.")


class PulsarConfiguration(Configuration):
    """`streamingCluster.configuration` of an instance whose type is `pulsar`."""

    admin: dict[str, Any] = Field(
        default_factory=dict,
        repr=False,
        description="Properties of the administration client as Pulsar names them; `serviceUrl` is "
        f"`{ADMIN_URL}` if none is given.",
    )
    service: dict[str, Any] = Field(
        default_factory=dict,
        repr=False,
        description=f"Properties of the client as Pulsar names them; `serviceUrl` is `{SERVICE_URL}` if none is given.",
    )
    authentication: dict[str, Any] = Field(
        default_factory=dict, repr=False, description="Further properties of both clients, such as `authParams`."
    )
    default_tenant: str = Field(default="public", description="The tenant of the topics; made if there is none.")
    default_namespace: str = Field(default="public", description="The namespace of the topics; made if there is none.")
    default_retention_policies: RetentionPolicies | None = Field(
        default=None, description="Set on the namespace when topics are created."
    )
    membership_interval_seconds: float = Field(
        default=1.0,
        ge=0.05,
        le=60,
        description="How often members of consumer groups look for others that came or went.",
    )


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """What the parts need. Credentials stay out of representations."""

    service_url: str
    admin_urls: tuple[str, ...]
    tenant: str
    namespace: str
    retention: RetentionPolicies | None
    interval: float
    service: Mapping[str, Any] = field(repr=False)
    service_login: Credentials = field(repr=False)
    admin_login: Credentials = field(repr=False)
    service_tls: Tls = field(repr=False)
    admin_tls: Tls = field(repr=False)


def in_kebab_case(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The names under which the documentation of the original has some settings are accepted too."""
    named = {_CAMEL.get(name, name): value for name, value in configuration.items()}
    policies = named.get("default-retention-policies")
    if isinstance(policies, Mapping):
        named["default-retention-policies"] = {_CAMEL.get(name, name): value for name, value in policies.items()}
    return named


def cluster_settings(configuration: PulsarConfiguration) -> ClusterSettings:
    """Checked. Raises ApplicationRefused with everything that is wrong."""
    service = {**configuration.service, **configuration.authentication}
    admin = {**configuration.admin, **configuration.authentication}
    problems: list[Problem] = []
    service_url = str(service.get("serviceUrl") or SERVICE_URL).strip()
    admin_url = str(admin.get("serviceUrl") or ADMIN_URL).strip()
    if not service_url.startswith(("pulsar://", "pulsar+ssl://")):
        problems.append(
            Problem(
                f"'service.serviceUrl' is {service_url!r}",
                hint="It begins with pulsar:// or pulsar+ssl://, such as: pulsar://localhost:6650",
            )
        )
    if not admin_url.startswith(("http://", "https://")):
        problems.append(
            Problem(
                f"'admin.serviceUrl' is {admin_url!r}",
                hint="It begins with http:// or https://, such as: http://localhost:8080",
            )
        )
    for place in ("service", "admin", "authentication"):
        problems += check_client(getattr(configuration, place), place)
    service_login, wrong = credentials(service, "service")
    admin_login, also_wrong = credentials(admin, "admin")
    problems += wrong + [problem for problem in also_wrong if problem not in wrong]
    if problems:
        raise ApplicationRefused(problems)
    return ClusterSettings(
        service_url,
        _hosts(admin_url),
        configuration.default_tenant,
        configuration.default_namespace,
        configuration.default_retention_policies,
        configuration.membership_interval_seconds,
        service,
        service_login,
        admin_login,
        tls(service),
        tls(admin),
    )


def _hosts(url: str) -> tuple[str, ...]:
    """`http://a:8080,b:8080` names two hosts."""
    scheme, _, rest = url.partition("://")
    return tuple(f"{scheme}://{host.strip().rstrip('/')}" for host in rest.split(",") if host.strip())
