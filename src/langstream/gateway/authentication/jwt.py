"""`jwt`: the credentials are a JSON Web Token signed with a configured key, or with a key its issuer publishes.

The token is checked with one family of algorithms, chosen by the kind of key and never by the token.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic import Field, model_validator

from langstream.configuration.model import Configuration
from langstream.gateway.authentication.contract import (
    AuthenticationFailed,
    Authenticator,
    Provider,
    RequestInfo,
    principal_of,
)
from langstream.gateway.authentication.keys import KeySet
from langstream.gateway.headers import Principal
from langstream.gateway.outbound import Outbound

if TYPE_CHECKING:
    from jwt import PyJWK

SECRET_ALGORITHMS: Final = ["HS256", "HS384", "HS512"]
PUBLIC_ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class JwtConfiguration(Configuration):
    """Which tokens are accepted."""

    secret_key: str | None = Field(
        None, alias="secretKey", repr=False, description="Shared secret: base64, a `data:` URL, or plain text."
    )
    public_key: str | None = Field(
        None, alias="publicKey", repr=False, description="Public key: PEM, base64 of DER or PEM, or a `data:` URL."
    )
    auth_claim: str = Field("sub", alias="authClaim", description="The claim that names the client.")
    public_alg: str = Field("RS256", alias="publicAlg", description="Algorithm of `publicKey` and published keys.")
    audience_claim: str | None = Field(None, alias="audienceClaim", description="The claim that names the audience.")
    audience: str | None = Field(None, description="What the audience claim must hold.")
    admin_roles: tuple[str, ...] | None = Field(
        None, alias="adminRoles", description="Accepted values of the claim. None: every valid token is accepted."
    )
    jwks_hosts_allowlist: str | None = Field(
        None,
        alias="jwksHostsAllowlist",
        description="Regular expression of hosts from which the keys named by a token's `jwks_uri` may be fetched.",
    )

    @model_validator(mode="after")
    def _can_check_something(self) -> Self:
        if not (self.secret_key or self.public_key or self.jwks_hosts_allowlist):
            raise ValueError("one of secretKey, publicKey and jwksHostsAllowlist is needed")
        if self.public_alg not in PUBLIC_ALGORITHMS:
            raise ValueError(f"publicAlg must be one of {', '.join(sorted(PUBLIC_ALGORITHMS))}")
        if self.audience_claim and not self.audience:
            raise ValueError("audienceClaim needs audience, the text to be found there")
        try:
            re.compile(self.jwks_hosts_allowlist or "")
        except re.error as error:
            raise ValueError(f"jwksHostsAllowlist is not a regular expression: {error}") from None
        return self


class JwtAuthenticator(Authenticator):
    """Checks signature, times, audience and role."""

    def __init__(self, configuration: JwtConfiguration, outbound: Outbound) -> None:
        self._configuration = configuration
        self._outbound = outbound
        self._key_sets: dict[str, KeySet] = {}
        self._secret = key_material(configuration.secret_key) if configuration.secret_key else None
        self._public = public_key(configuration.public_key) if configuration.public_key else None

    async def authenticate(self, credentials: str, request: RequestInfo) -> Principal:
        import jwt

        try:
            key, algorithms = await self._key_for(credentials)
            claims: dict[str, Any] = jwt.decode(
                credentials, key, algorithms=algorithms, options={"verify_aud": False, "verify_sub": False}
            )
        except jwt.PyJWTError as error:
            raise AuthenticationFailed(f"the token is not valid: {error}") from None
        self._check_audience(claims)
        self._check_role(claims)
        return principal_of({**claims, "subject": claims.get(self._configuration.auth_claim)})

    async def _key_for(self, token: str) -> tuple[bytes | str | PyJWK, list[str]]:
        import jwt

        claims = jwt.decode(token, options={"verify_signature": False})
        address = claims.get("jwks_uri")
        if isinstance(address, str) and self._configuration.jwks_hosts_allowlist:
            header = jwt.get_unverified_header(token)
            return await self._key_set(address).key(header.get("kid")), [self._configuration.public_alg]
        if self._secret is not None:
            return self._secret, SECRET_ALGORITHMS
        if self._public is not None:
            return self._public, [self._configuration.public_alg]
        raise AuthenticationFailed("the token does not say where its keys are published (jwks_uri)")

    def _key_set(self, address: str) -> KeySet:
        parts = urlsplit(address)
        host = parts.hostname or ""
        safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
        if not safe or not re.fullmatch(self._configuration.jwks_hosts_allowlist or "", host):
            raise AuthenticationFailed("the token names keys at a host that is not allowed")
        if address not in self._key_sets and len(self._key_sets) >= 100:
            self._key_sets.clear()  # addresses come from tokens: they must not fill the memory
        return self._key_sets.setdefault(address, KeySet(address, self._outbound))

    def _check_audience(self, claims: dict[str, Any]) -> None:
        expected = self._configuration.audience
        if not expected:
            return
        audience = claims.get(self._configuration.audience_claim or "aud")
        if expected not in (audience if isinstance(audience, list) else [audience]):
            raise AuthenticationFailed("the token is meant for another audience")

    def _check_role(self, claims: dict[str, Any]) -> None:
        role = claims.get(self._configuration.auth_claim)
        if isinstance(role, list):
            role = role[0] if role else None
        if not isinstance(role, str):
            raise AuthenticationFailed(f"the token has no claim {self._configuration.auth_claim}")
        if self._configuration.admin_roles is not None and role not in self._configuration.admin_roles:
            raise AuthenticationFailed("Not an admin.")


def key_material(text: str) -> bytes:
    """The bytes of a key written as base64 or `data:` URL; of any other text its own."""
    if text.startswith("data:"):
        header, _, data = text.partition(",")
        return base64.b64decode(data) if header.endswith(";base64") else unquote_to_bytes(data)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def public_key(text: str) -> str:
    """The key as PEM. Raises ValueError for text that is no public key."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_der_public_key,
        load_pem_public_key,
    )

    material = text.strip().encode() if "-----BEGIN" in text else key_material(text.strip())
    load = load_pem_public_key if material.lstrip().startswith(b"-----BEGIN") else load_der_public_key
    return load(material).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


PROVIDER = Provider(
    name="jwt",
    configuration=JwtConfiguration,
    create=JwtAuthenticator,
    summary="Accepts JSON Web Tokens; the principal has the token's claims, and subject from the configured claim.",
)
