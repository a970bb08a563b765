"""Profiles: where the control plane and the gateway are. Read from the configuration file of the original's format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from langstream.configuration.validation import did_you_mean


@dataclass(frozen=True, slots=True)
class Profile:
    """Addresses and identity used by client commands."""

    web_service_url: str = "http://localhost:8090"
    api_gateway_url: str = "ws://localhost:8091"
    tenant: str = "default"
    token: str | None = None

    def gateway_url(self, protocol: str) -> str:
        """The gateway's base URL for `ws` or `http`."""
        scheme, _, rest = self.api_gateway_url.partition("://")
        secure = "s" if scheme in ("wss", "https") else ""
        return f"{protocol}{secure}://{rest.rstrip('/')}"


def load_profile(name: str | None, file: str | None) -> Profile:
    """The profile of that name (default: the file's current one). Without a file: the defaults."""
    path = Path(file).expanduser() if file else Path.home() / ".langstream" / "config"
    document: dict[str, Any] = {}
    if path.is_file():
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    elif file:
        raise click.UsageError(f"the configuration file {path} does not exist")
    wanted = name or document.get("currentProfile") or "default"
    profiles = document.get("profiles") or {}
    if wanted != "default" and wanted not in profiles:
        hint = did_you_mean(wanted, profiles)
        raise click.UsageError(f"no profile {wanted!r} in {path}." + (f" {hint}" if hint else ""))
    values = document if wanted == "default" else profiles[wanted]
    given = {
        "web_service_url": values.get("webServiceUrl"),
        "api_gateway_url": values.get("apiGatewayUrl"),
        "tenant": values.get("tenant"),
        "token": values.get("token"),
    }
    return Profile(**{key: value for key, value in given.items() if value})
