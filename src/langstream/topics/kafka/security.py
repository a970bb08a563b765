"""Kafka's security properties, as Java clients name them, for a client that is not Java.

SASL: PLAIN, SCRAM, OAUTHBEARER and GSSAPI, with credentials in a JAAS line or as plain properties. TLS: PEM files and
PEM text; PKCS#12 for the client's own key. Java key stores (JKS) cannot be read and are refused with what to do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from langstream.errors import Problem
from langstream.topics.kafka.jaas import JaasEntry, parse_jaas

CONVERT: Final = (
    "Export it as PEM (keytool -importkeystore -deststoretype pkcs12, then openssl pkcs12) and name the PEM file."
)
_MODULES: Final = {
    "PlainLoginModule": ("PLAIN",),
    "ScramLoginModule": ("SCRAM-SHA-256", "SCRAM-SHA-512"),
    "OAuthBearerLoginModule": ("OAUTHBEARER",),
    "Krb5LoginModule": ("GSSAPI",),
}
_EXTENSION: Final = "extension_"


def client_security(properties: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    """The properties with security in the client's own terms, and what is wrong with them."""
    found = dict(properties)
    problems = [*_sasl(found), *_tls(found)]
    return found, problems


# --- SASL -----------------------------------------------------------------------------------------------------------


def _sasl(found: dict[str, str]) -> list[Problem]:
    line = found.pop("sasl.jaas.config", None)
    if line is not None:
        try:
            entry = parse_jaas(line)
        except ValueError as error:
            return [Problem(f"'sasl.jaas.config' cannot be read: {error}")]
        problem = _login(entry, found)
        if problem:
            return [problem]
    mechanism = found.get("sasl.mechanism", "").upper()
    if mechanism == "OAUTHBEARER":
        _token_endpoint(found)
    protocol = found.get("security.protocol", "PLAINTEXT").upper()
    if mechanism and "SASL" not in protocol:
        return [
            Problem(
                f"'sasl.mechanism' is {mechanism}, but 'security.protocol' is {protocol}, so nobody would log in",
                hint="Set 'security.protocol' to SASL_SSL, or to SASL_PLAINTEXT on a trusted network.",
            )
        ]
    if mechanism in ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"):
        missing = [name for name in ("sasl.username", "sasl.password") if not found.get(name)]
        if missing:
            return [
                Problem(
                    f"SASL {mechanism} needs a user name and a password",
                    hint="Give 'username' and 'password' in 'sasl.jaas.config'.",
                )
            ]
    return []


def _login(entry: JaasEntry, found: dict[str, str]) -> Problem | None:
    mechanisms = _MODULES.get(entry.name)
    if mechanisms is None:
        return Problem(
            f"the login module '{entry.module}' of 'sasl.jaas.config' is not known",
            hint=f"Known login modules: {', '.join(_MODULES)}.",
        )
    mechanism = found.setdefault("sasl.mechanism", mechanisms[0]).upper()
    if mechanism not in mechanisms:
        return Problem(
            f"the login module '{entry.name}' does not fit 'sasl.mechanism' {mechanism}",
            hint=f"It is for {' and '.join(mechanisms)}.",
        )
    _CREDENTIALS[entry.name](entry.options, found)
    return None


def _password(options: Mapping[str, str], found: dict[str, str]) -> None:
    for name in ("username", "password"):
        if name in options:
            found[f"sasl.{name}"] = options[name]


def _bearer(options: Mapping[str, str], found: dict[str, str]) -> None:
    names = {
        "clientId": "sasl.oauthbearer.client.id",
        "clientSecret": "sasl.oauthbearer.client.secret",
        "scope": "sasl.oauthbearer.scope",
    }
    for name, ours in names.items():
        if name in options:
            found[ours] = options[name]
    extensions = [f"{name[len(_EXTENSION) :]}={options[name]}" for name in options if name.startswith(_EXTENSION)]
    if extensions:
        found["sasl.oauthbearer.extensions"] = ",".join(extensions)
    subject = options.get("unsecuredLoginStringClaim_sub")
    if subject:
        found["enable.sasl.oauthbearer.unsecure.jwt"] = "true"
        found["sasl.oauthbearer.config"] = f"principal={subject}"


def _kerberos(options: Mapping[str, str], found: dict[str, str]) -> None:
    for name, ours in (("keyTab", "sasl.kerberos.keytab"), ("principal", "sasl.kerberos.principal")):
        if name in options:
            found[ours] = options[name]


_CREDENTIALS: Final[Mapping[str, Callable[[Mapping[str, str], dict[str, str]], None]]] = {
    "PlainLoginModule": _password,
    "ScramLoginModule": _password,
    "OAuthBearerLoginModule": _bearer,
    "Krb5LoginModule": _kerberos,
}


def _token_endpoint(found: dict[str, str]) -> None:
    if "sasl.oauthbearer.token.endpoint.url" in found:
        found.setdefault("sasl.oauthbearer.method", "oidc")


# --- TLS ------------------------------------------------------------------------------------------------------------


def _tls(found: dict[str, str]) -> list[Problem]:
    problems = [*_trust(found), *_own_key(found)]
    algorithm = found.get("ssl.endpoint.identification.algorithm")
    if algorithm is not None:
        found["ssl.endpoint.identification.algorithm"] = algorithm.strip().lower() or "none"
    return problems


def _trust(found: dict[str, str]) -> list[Problem]:
    location = found.pop("ssl.truststore.location", None)
    certificates = found.pop("ssl.truststore.certificates", None)
    kind = found.pop("ssl.truststore.type", None)
    found.pop("ssl.truststore.password", None)
    if certificates:
        found["ssl.ca.pem"] = certificates
    if not location:
        return []
    if _kind(location, kind) != "PEM":
        return [
            Problem(
                f"'ssl.truststore.location' is a {_kind(location, kind)} store, which this client cannot read",
                hint=CONVERT + " Then set 'ssl.truststore.type' to PEM.",
            )
        ]
    found["ssl.ca.location"] = location
    return []


def _own_key(found: dict[str, str]) -> list[Problem]:
    location = found.pop("ssl.keystore.location", None)
    kind = found.pop("ssl.keystore.type", None)
    password = found.pop("ssl.keystore.password", None)
    for name, ours in (("ssl.keystore.key", "ssl.key.pem"), ("ssl.keystore.certificate.chain", "ssl.certificate.pem")):
        if name in found:
            found[ours] = found.pop(name)
    if not location:
        return []
    match _kind(location, kind):
        case "PEM":  # one file with both, as Java has it
            found["ssl.key.location"] = found["ssl.certificate.location"] = location
        case "PKCS12":
            found["ssl.keystore.location"] = location
            if password:
                found["ssl.keystore.password"] = password
        case other:
            return [
                Problem(
                    f"'ssl.keystore.location' is a {other} store, which this client cannot read",
                    hint="Convert it (keytool -importkeystore -deststoretype pkcs12) and name the new file.",
                )
            ]
    return []


def _kind(location: str, kind: str | None) -> str:
    """The declared kind; by the name of the file where none is declared; else Java's default."""
    if kind:
        return kind.upper()
    suffix = location.rpartition(".")[2].lower()
    return {"pem": "PEM", "crt": "PEM", "cer": "PEM", "p12": "PKCS12", "pfx": "PKCS12"}.get(suffix, "JKS")
