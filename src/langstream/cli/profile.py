"""Profiles: where a control plane and a gateway are. The configuration file has the original's format.

    webServiceUrl: http://localhost:8090        # the root is the profile `default`
    apiGatewayUrl: ws://localhost:8091
    tenant: default
    profiles:
      staging: {webServiceUrl: …, apiGatewayUrl: …, tenant: …, token: …, name: staging}
    currentProfile: default

It may hold tokens, so only its owner can read it. Environment variables (`LANGSTREAM_tenant`, or in capitals) go before
what the file says of the chosen profile.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from langstream.cli.failure import Refusal

DEFAULT = "default"
FIELDS = {"webServiceUrl": "web_service_url", "apiGatewayUrl": "api_gateway_url", "tenant": "tenant", "token": "token"}


@dataclass(frozen=True, slots=True)
class Profile:
    """Addresses and identity used by client commands. None where the profile leaves something open."""

    name: str = DEFAULT
    web_service_url: str | None = "http://localhost:8090"
    api_gateway_url: str | None = "ws://localhost:8091"
    tenant: str | None = DEFAULT
    token: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, name: str, document: Mapping[str, Any], base: Profile | None = None) -> Profile:
        """The profile in a mapping; what is missing is None, or as in `base`."""
        base = base or Profile(name, None, None, None, None)
        given = {ours: str(document[theirs]) for theirs, ours in FIELDS.items() if document.get(theirs) is not None}
        return replace(base, name=name, **given)

    def document(self) -> dict[str, str | None]:
        """The profile as the file has it, without its name."""
        return {theirs: getattr(self, ours) for theirs, ours in FIELDS.items()}

    def gateway_url(self, protocol: str) -> str:
        """The gateway's base URL for `ws` or `http`."""
        if not self.api_gateway_url:
            raise Refusal(f"the profile {self.name} has no apiGatewayUrl; give the gateway's address with --url")
        scheme, separator, rest = self.api_gateway_url.partition("://")
        if not separator:
            scheme, rest = "ws", self.api_gateway_url
        secure = "s" if scheme in ("wss", "https") else ""
        return f"{protocol}{secure}://{rest.rstrip('/')}"


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """What the file says. `profiles` has those with a name; the root of the file is the profile `default`."""

    path: Path
    root: Profile = Profile()
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    current: str = DEFAULT

    def names(self) -> list[str]:
        """Every profile, the default one first."""
        return [DEFAULT, *self.profiles]

    def find(self, name: str) -> Profile | None:
        """The profile of that name."""
        return self.root if name == DEFAULT else self.profiles.get(name)

    def having(self, profile: Profile) -> ConfigurationFile:
        """With that profile added or replaced."""
        if profile.name == DEFAULT:
            return replace(self, root=profile)
        return replace(self, profiles={**self.profiles, profile.name: profile})

    def without(self, name: str) -> ConfigurationFile:
        """With one profile less."""
        return replace(self, profiles={key: each for key, each in self.profiles.items() if key != name})

    def write(self) -> None:
        """Replace the file in one step, readable for its owner only."""
        document = {
            **self.root.document(),
            "profiles": {name: {**each.document(), "name": name} for name, each in self.profiles.items()},
            "currentProfile": self.current,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".config-")  # made with mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            yaml.safe_dump(document, stream, sort_keys=False, allow_unicode=True)
        Path(temporary).replace(self.path)


def read_configuration(file: str | None, environment: Mapping[str, str] | None = None) -> ConfigurationFile:
    """The configuration file: `file`, else `config` in LANGSTREAM_HOME, else in `.langstream` at home, if it exists."""
    environment = os.environ if environment is None else environment
    home = Path(environment.get("LANGSTREAM_HOME") or Path.home() / ".langstream")
    path = Path(file).expanduser() if file else home / "config"
    if not path.is_file():
        return ConfigurationFile(path)
    document = _document(path)
    profiles = document.get("profiles") or {}
    if not isinstance(profiles, dict) or not all(isinstance(each, dict) for each in profiles.values()):
        raise Refusal(f"the configuration file {path} is wrong: 'profiles' must be a mapping of names to profiles")
    return ConfigurationFile(
        path,
        Profile.read(DEFAULT, document, Profile()),
        {name: Profile.read(name, each) for name, each in profiles.items()},
        str(document.get("currentProfile") or DEFAULT),
    )


def load_profile(name: str | None, file: str | None, environment: Mapping[str, str] | None = None) -> Profile:
    """The profile of that name (default: the file's current one), with the environment's values put in."""
    environment = os.environ if environment is None else environment
    if file and not Path(file).expanduser().is_file():
        raise Refusal(f"the configuration file {file} does not exist")
    configuration = read_configuration(file, environment)
    wanted = name or configuration.current
    profile = configuration.find(wanted)
    if profile is None:
        raise Refusal(f"No profile '{wanted}' defined in configuration {configuration.path}")
    given = {
        ours: value
        for theirs, ours in FIELDS.items()
        if (value := environment.get(f"LANGSTREAM_{theirs}") or environment.get(f"LANGSTREAM_{theirs.upper()}"))
    }
    return replace(profile, **given)


def _document(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Refusal(f"the configuration file {path} cannot be read: {' '.join(str(error).split())}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise Refusal(f"the configuration file {path} must be a mapping")
    return document
