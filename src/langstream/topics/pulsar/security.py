"""Logging in: Pulsar's authentication plugins under the names of the Java client, and its TLS settings."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from langstream.configuration.validation import did_you_mean
from langstream.errors import Problem

_PLUGINS: Final = {
    "authenticationtoken": "token",
    "authenticationtls": "tls",
    "authenticationbasic": "basic",
    "authenticationoauth2": "oauth2",
    "authenticationathenz": "athenz",
    "token": "token",
    "tls": "tls",
    "basic": "basic",
    "oauth2": "oauth2",
    "athenz": "athenz",
}
_PLUGIN_KEYS: Final = ("authPluginClassName", "authPlugin", "plugin")
_PARAMETER_KEYS: Final = ("authParams", "authParamMap", "params")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How we log in. `kind` is one of none, token, tls, basic, oauth2, athenz."""

    kind: str = "none"
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)

    def token(self) -> str:
        """The token; read again each time where it is in a file, since those are renewed."""
        if "file" in self.parameters:
            return Path(self.parameters["file"]).read_text(encoding="utf-8").strip()
        return self.parameters["token"]


@dataclass(frozen=True, slots=True)
class Tls:
    """Trust and the client's own certificate."""

    trust: str | None = None
    insecure: bool = False
    verify_host: bool = True
    certificate: str | None = None
    key: str | None = None

    def context(self) -> ssl.SSLContext:
        """For HTTPS."""
        context = ssl.create_default_context(cafile=self.trust)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif not self.verify_host:
            context.check_hostname = False
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context


def tls(properties: Mapping[str, Any]) -> Tls:
    """The TLS settings among the client's properties; hosts are verified unless told otherwise."""
    verify = properties.get("tlsHostnameVerificationEnable", properties.get("enableTlsHostnameVerification"))
    parameters = _parameters(properties)
    return Tls(
        trust=_text(properties.get("tlsTrustCertsFilePath")),
        insecure=_true(properties.get("tlsAllowInsecureConnection")),
        verify_host=verify is None or _true(verify),
        certificate=_text(properties.get("tlsCertificateFilePath")) or parameters.get("tlsCertFile"),
        key=_text(properties.get("tlsKeyFilePath")) or parameters.get("tlsKeyFile"),
    )


def credentials(properties: Mapping[str, Any], place: str) -> tuple[Credentials, list[Problem]]:
    """Who we are, by plugin and parameters; what is wrong with them never shows their values."""
    plugin = next((str(properties[key]) for key in _PLUGIN_KEYS if properties.get(key)), "")
    parameters = _parameters(properties)
    if not plugin:
        if properties.get("token"):
            return Credentials("token", {"token": str(properties["token"])}), []
        if parameters:
            return Credentials(), [
                Problem(
                    f"'{place}' has 'authParams' but no 'authPluginClassName'", hint="Name the plugin, such as token."
                )
            ]
        return Credentials(), []
    name = plugin.rpartition(".")[2]
    kind = _PLUGINS.get(name.lower())
    if kind is None:
        hint = did_you_mean(name, ["AuthenticationToken", "AuthenticationTls", "AuthenticationBasic"])
        hint = (
            hint
            or "Known are AuthenticationToken, AuthenticationTls, AuthenticationBasic, AuthenticationOAuth2, athenz."
        )
        return Credentials(), [Problem(f"'{place}' has the unknown authentication plugin {plugin!r}", hint=hint)]
    return _complete(kind, parameters, place)


def _complete(kind: str, parameters: dict[str, str], place: str) -> tuple[Credentials, list[Problem]]:
    needed = {
        "token": ("token", "file"),
        "basic": ("userId",),
        "tls": ("tlsCertFile",),
        "oauth2": ("privateKey",),
        "athenz": ("tenantDomain",),
    }[kind]
    if kind == "oauth2" and "issuerUrl" not in parameters:
        return Credentials(), [Problem(f"'{place}': OAuth 2 needs 'issuerUrl' among its 'authParams'")]
    if not any(name in parameters for name in needed):
        return Credentials(), [Problem(f"'{place}': the plugin {kind} needs '{needed[0]}' among its 'authParams'")]
    return Credentials(kind, parameters), []


def _parameters(properties: Mapping[str, Any]) -> dict[str, str]:
    """JSON, a map, `token:…`, `file:…` or `name:value,name:value`."""
    given = next((properties[key] for key in _PARAMETER_KEYS if properties.get(key)), None)
    if isinstance(given, Mapping):
        return {str(name): str(value) for name, value in given.items()}
    text = str(given or "").strip()
    if text.startswith("{"):
        try:
            return {str(name): str(value) for name, value in json.loads(text).items()}
        except ValueError:
            return {}
    if text.startswith("token:"):
        return {"token": text[len("token:") :]}
    if text.startswith("file:"):
        return {"file": text[len("file:") :].removeprefix("//")}
    pairs = (part.split(":", 1) for part in text.split(",") if ":" in part)
    found = {name.strip(): value.strip() for name, value in pairs}
    if not found and text:
        return {"token": text}
    return found


def _text(value: Any) -> str | None:
    return str(value) if value else None


def _true(value: Any) -> bool:
    return str(value).strip().lower() == "true"
