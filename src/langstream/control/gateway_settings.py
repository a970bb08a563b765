"""The settings file of the gateway: YAML under the original's property names, every problem with its place.

    application:
      gateways:
        auth:
          test: {type: http, configuration: {base-url: "https://…"}}
        limits: {max-connections: 500}
      security:
        cors: {allowed-origins: ["https://example.org"]}
      topics: {producers-cache-size: 50}

`${NAME}`, `${NAME:-default}` and `<file:path>` are put in as in the instance file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from langstream.application.sources import read_file
from langstream.application.substitution import substitute
from langstream.application.yaml_source import Places
from langstream.configuration.model import Configuration
from langstream.configuration.validation import check, did_you_mean
from langstream.errors import ApplicationRefused, Problem
from langstream.gateway.settings import GatewaySettings
from langstream.registry import AUTHENTICATION, Registry


class TestAuthentication(Configuration):
    """Who judges `test-credentials`."""

    __test__ = False  # no test class, whatever its name

    type: str = Field(description="Authentication provider, for instance `http` or `jwt`.")
    configuration: dict[str, Any] = Field(default_factory=dict, description="Its configuration.")


class Authentication(Configuration):
    """Authentication across gateways."""

    test: TestAuthentication | None = Field(default=None, description="Test mode; without it there is none.")


class Limits(Configuration):
    """What clients may take."""

    max_connections: int | None = Field(default=None, ge=1, description="Sockets and requests under way at a time.")
    max_message_bytes: int | None = Field(default=None, ge=1, description="Largest WebSocket message.")
    max_body_bytes: int | None = Field(default=None, ge=1, description="Largest HTTP message.")
    messages_per_second: float | None = Field(default=None, ge=0, description="Of one socket; 0: no limit.")
    ping_interval_seconds: float | None = Field(
        default=None, gt=0, description="Time between probes of a silent socket."
    )
    ping_timeout_seconds: float | None = Field(default=None, gt=0, description="A socket silent for so long is closed.")
    session_records: int | None = Field(default=None, ge=1, description="Records waiting for one slow client.")
    session_bytes: int | None = Field(default=None, ge=1, description="The same in bytes.")
    answer_timeout_seconds: float | None = Field(default=None, gt=0, description="Patience of a chat over HTTP.")


class Gateways(Configuration):
    """Settings of gateways."""

    auth: Authentication = Field(default=Authentication(), description="Authentication.")
    limits: Limits = Field(default=Limits(), description="Limits.")


class Cors(Configuration):
    """Pages of other origins."""

    allowed_origins: list[str] | None = Field(default=None, description="Origins whose pages may use the gateway.")


class Security(Configuration):
    """Security."""

    cors: Cors = Field(default=Cors(), description="Cross-origin requests and sockets.")


class Topics(Configuration):
    """Producers kept open."""

    producers_cache_enabled: bool | None = Field(default=None, description="Whether producers are kept.")
    producers_cache_size: int | None = Field(default=None, ge=1, description="How many.")
    producers_cache_seconds: float | None = Field(default=None, gt=0, description="For how long without use.")


class Properties(Configuration):
    """Everything under `application`."""

    gateways: Gateways = Field(default=Gateways(), description="Gateways.")
    security: Security = Field(default=Security(), description="Security.")
    topics: Topics = Field(default=Topics(), description="Topics.")


class SettingsFile(Configuration):
    """The whole file."""

    application: Properties = Field(description="The settings.")


def load_gateway_settings(file: Path, environment: Mapping[str, str] | None = None) -> GatewaySettings:
    """The settings in a file; what it leaves open is as usual. Raises ApplicationRefused with every problem."""
    problems: list[Problem] = []
    document = read_file(file, file.name, problems)
    if document is None:
        raise ApplicationRefused(problems)
    data = substitute(
        document.data,
        environment=os.environ if environment is None else environment,
        directory=file.parent,
        problems=problems,
        locate=document.places,
    )
    if not isinstance(data, dict):
        problems.append(Problem("The file must be a mapping with the key 'application'.", document.places(())))
        raise ApplicationRefused(problems)
    model, found = check(SettingsFile, data, subject="gateway settings", locate=document.places)
    problems.extend(found)
    if model is not None and model.application.gateways.auth.test is not None:
        problems.extend(_check_provider(model.application.gateways.auth.test, document.places))
    if problems or model is None:
        raise ApplicationRefused(problems)
    return _settings(model.application)


def _check_provider(test: TestAuthentication, places: Places) -> list[Problem]:
    registry = Registry(AUTHENTICATION)
    where = places.below("application", "gateways", "auth", "test")
    if test.type not in registry:
        known = registry.names()
        hint = did_you_mean(test.type, known) or f"Known providers: {', '.join(known)}."
        return [Problem(f"The authentication provider '{test.type}' is unknown.", where(("type",)), hint)]
    subject = f"test authentication (provider '{test.type}')"
    provider = registry.load(test.type)
    return check(provider.configuration, test.configuration, subject=subject, locate=where.below("configuration"))[1]


def _settings(properties: Properties) -> GatewaySettings:
    topics, origins = properties.topics, properties.security.cors.allowed_origins
    given: dict[str, Any] = {
        **properties.gateways.limits.model_dump(by_alias=False),
        "producer_cache_enabled": topics.producers_cache_enabled,
        "producer_cache_size": topics.producers_cache_size,
        "producer_cache_seconds": topics.producers_cache_seconds,
        "cors_origins": None if origins is None else tuple(origins),
    }
    test = properties.gateways.auth.test
    if test is not None:
        given |= {"test_provider": test.type, "test_provider_configuration": test.configuration}
    return GatewaySettings(**{name: value for name, value in given.items() if value is not None})
