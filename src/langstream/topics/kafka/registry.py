"""A client of a schema registry that speaks the Confluent protocol: Confluent's own, Karapace, Apicurio, Redpanda.

What a registry has said about an id holds for ever, so it is asked once. Credentials never appear in messages.
"""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from langstream.errors import ApplicationRefused, BrokerUnavailable, Problem, TopicError

if TYPE_CHECKING:
    import aiohttp

URL: Final = "schema.registry.url"
PREFIX: Final = "schema.registry."
CONTENT: Final = "application/vnd.schemaregistry.v1+json"
REQUEST_SECONDS: Final = 15.0
REMEMBER_SECONDS: Final = 60.0
"""So long a subject's latest schema is believed to be the latest, and an id that is unknown to be unknown."""


class Registered(NamedTuple):
    """A schema of the registry."""

    id: int
    kind: str
    """`AVRO`, `JSON` or `PROTOBUF`."""
    text: str


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """Where the registry is and how to log in. Holds passwords."""

    urls: tuple[str, ...] = field(repr=False)
    user: tuple[str, str] | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    certificates: str | None = None
    register: bool = True
    use_latest: bool = False


def registry_settings(properties: Mapping[str, str]) -> RegistrySettings | None:
    """From the properties of Java's serializers; None if no registry is named. Raises ApplicationRefused."""
    named = properties.get(URL, "")
    if not named:
        return None

    def given(name: str) -> str:
        return properties.get(name) or properties.get(PREFIX + name) or ""

    urls = tuple(url.strip().rstrip("/") for url in named.split(",") if url.strip())
    user: tuple[str, str] | None = None
    match given("basic.auth.credentials.source").upper():
        case "SASL_INHERIT":
            user = (properties.get("sasl.username", ""), properties.get("sasl.password", ""))
        case "" | "USER_INFO" | "URL":
            name, _, password = given("basic.auth.user.info").partition(":")
            user = (name, password) if name else None
        case _:
            raise _refused("basic.auth.credentials.source", "USER_INFO, URL or SASL_INHERIT")
    if given("bearer.auth.credentials.source").upper() not in ("", "STATIC_TOKEN"):
        raise _refused("bearer.auth.credentials.source", "STATIC_TOKEN")
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _refused(URL, "addresses such as https://registry:8081")
        if user is None and parts.username:
            user = (unquote(parts.username), unquote(parts.password or ""))
    return RegistrySettings(
        tuple(_without_user(url) for url in urls),
        user,
        given("bearer.auth.token") or None,
        properties.get(PREFIX + "ssl.truststore.location"),
        properties.get("auto.register.schemas", "true").lower() != "false",
        properties.get("use.latest.version", "false").lower() == "true",
    )


class SchemaRegistry:
    """See the module."""

    def __init__(self, settings: RegistrySettings) -> None:
        self.settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._by_id: dict[int, Registered] = {}
        self._unknown: dict[int, float] = {}
        self._latest: dict[str, tuple[float, Registered | None]] = {}
        self._ids: dict[tuple[str, str], int] = {}

    def known(self, number: int) -> Registered | None:
        """The schema, if it was asked for before."""
        return self._by_id.get(number)

    def settled(self, number: int) -> bool:
        """Nothing new is to be heard about the id at the moment."""
        return number in self._by_id or self._unknown.get(number, 0.0) > time.monotonic() - REMEMBER_SECONDS

    async def learn(self, number: int) -> Registered | None:
        """The schema of an id; None if the registry has none."""
        if not self.settled(number):
            answer = await self._ask("GET", f"/schemas/ids/{number}", doing=f"looking up schema {number}")
            if answer is None:
                self._unknown[number] = time.monotonic()
            else:
                self._by_id[number] = _registered({**answer, "id": number})
        return self._by_id.get(number)

    async def latest(self, subject: str) -> Registered | None:
        """The newest schema of a subject; None if there is no such subject."""
        at, found = self._latest.get(subject, (-REMEMBER_SECONDS, None))
        if at <= time.monotonic() - REMEMBER_SECONDS:
            path = f"/subjects/{quote(subject, safe='')}/versions/latest"
            answer = await self._ask("GET", path, doing=f"looking up the schema of {subject}")
            found = None if answer is None else _registered(answer)
            self._latest[subject] = time.monotonic(), found
        return found

    async def register(self, subject: str, text: str) -> int:
        """The id of the schema under the subject, which it gets if it has none (and registering is allowed)."""
        key = (subject, text)
        if key not in self._ids:
            self._ids[key] = await self._register(subject, text)
        return self._ids[key]

    async def close(self) -> None:
        """Let go."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _register(self, subject: str, text: str) -> int:
        path = f"/subjects/{quote(subject, safe='')}" + ("/versions" if self.settings.register else "")
        doing = f"registering a schema of {subject}"
        answer = await self._ask("POST", path, {"schema": _clean(text)}, doing=doing)
        if answer is None:
            raise TopicError(
                f"{doing}: the schema registry does not have it, and 'auto.register.schemas' is false; "
                "register it first, or set 'use.latest.version: true'"
            )
        self._latest.pop(subject, None)
        return int(answer["id"])

    async def _ask(self, method: str, path: str, body: Any = None, *, doing: str) -> dict[str, Any] | None:
        """The answer; None if there is no such thing. The next address is tried when one does not answer."""
        import aiohttp

        if self._session is None:
            self._session = _session(self.settings)
        failure = ""
        for url in self.settings.urls:
            try:
                data = None if body is None else json.dumps(body)
                async with self._session.request(method, url + path, data=data) as response:
                    if response.status >= 500:
                        failure = f"it answered {response.status}"
                        continue
                    return _answer(response.status, await response.text(), doing)
            except (aiohttp.ClientError, TimeoutError) as error:
                failure = str(error) or type(error).__name__
        raise BrokerUnavailable(f"{doing}: the schema registry at {', '.join(self.settings.urls)} fails: {failure}")


def _session(settings: RegistrySettings) -> aiohttp.ClientSession:
    import aiohttp

    headers = {"Accept": CONTENT, "Content-Type": CONTENT}
    if settings.token:
        headers["Authorization"] = f"Bearer {settings.token}"
    elif settings.user:
        headers["Authorization"] = f"Basic {base64.b64encode(':'.join(settings.user).encode()).decode()}"
    trust: Any = ssl.create_default_context(cafile=settings.certificates) if settings.certificates else True
    return aiohttp.ClientSession(
        headers=headers,
        connector=aiohttp.TCPConnector(ssl=trust),
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
    )


def _answer(status: int, text: str, doing: str) -> dict[str, Any] | None:
    if status == 404:
        return None
    if status in (401, 403):
        raise TopicError(f"{doing}: the schema registry does not let LangStream in ({status}). Check the credentials")
    try:
        answer = json.loads(text)
    except ValueError:
        answer = {}
    if status == 409:
        raise TopicError(
            f"{doing}: the schema is not compatible with the earlier ones: {_message(answer)}; "
            "give new fields a default, or relax the compatibility of the subject"
        )
    if status >= 400 or not isinstance(answer, dict):
        raise TopicError(f"{doing}: the schema registry refuses it ({status}): {_message(answer)}")
    return answer


def _message(answer: Any) -> str:
    return str(answer.get("message", "it does not say why")) if isinstance(answer, dict) else "it does not say why"


def _registered(answer: Mapping[str, Any]) -> Registered:
    if answer.get("references"):
        raise TopicError(f"schema {answer.get('id')} of the registry refers to other schemas, which is not supported")
    return Registered(int(answer["id"]), str(answer.get("schemaType", "AVRO")), str(answer["schema"]))


def _clean(text: str) -> str:
    """Without what parsing has left in the schema."""
    schema = json.loads(text)
    if isinstance(schema, dict):
        schema = {name: value for name, value in schema.items() if not name.startswith("__")}
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False)


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _refused(name: str, expected: str) -> ApplicationRefused:
    return ApplicationRefused([Problem(f"'{name}' of the Kafka cluster is not known", hint=f"Expected {expected}.")])
