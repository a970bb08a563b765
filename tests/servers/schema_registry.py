"""A schema registry of its own, on loopback: the Confluent protocol as it is documented, kept in memory.

Neither PyPI nor Maven Central has a registry that can be started as it comes, so this one stands in for them: ids,
subjects, versions, backward compatibility of Avro records, and logging in by password or token.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

CONTENT = "application/vnd.schemaregistry.v1+json"


class Refusal(Exception):
    """An answer other than success."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Registry:
    """What is registered. `user` (`name:password`) or `token` guard it."""

    def __init__(self, user: str | None = None, token: str | None = None) -> None:
        self.schemas: list[dict[str, str]] = []
        self.subjects: dict[str, list[int]] = {}
        self.requests: list[str] = []
        self.url = ""
        self._expected = (
            f"Basic {base64.b64encode(user.encode()).decode()}" if user else f"Bearer {token}" if token else None
        )

    def handle(self, method: str, path: str, login: str | None, body: dict[str, Any]) -> dict[str, Any]:
        """The answer. Raises Refusal."""
        self.requests.append(f"{method} {path}")
        if self._expected and login != self._expected:
            raise Refusal(401, 401, "Unauthorized")
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match method, parts:
            case "GET", ["schemas", "ids", number]:
                if not 0 < int(number) <= len(self.schemas):
                    raise Refusal(404, 40403, "Schema not found")
                return self._told(int(number))
            case "GET", ["subjects", subject, "versions", "latest"]:
                return self._version(subject, self._numbers(subject)[-1])
            case "POST", ["subjects", subject, "versions"]:
                return {"id": self._register(subject, body)}
            case "POST", ["subjects", subject]:
                known = self._number(body)
                if known is None or known not in self._numbers(subject):
                    raise Refusal(404, 40403, "Schema not found")
                return self._version(subject, known)
        raise Refusal(404, 404, "HTTP 404 Not Found")

    def _numbers(self, subject: str) -> list[int]:
        if subject not in self.subjects:
            raise Refusal(404, 40401, f"Subject '{subject}' not found.")
        return self.subjects[subject]

    def _number(self, body: dict[str, Any]) -> int | None:
        wanted = {"schema": _canonical(body["schema"]), "schemaType": body.get("schemaType", "AVRO")}
        return self.schemas.index(wanted) + 1 if wanted in self.schemas else None

    def _told(self, number: int) -> dict[str, Any]:
        schema = self.schemas[number - 1]
        return {key: value for key, value in schema.items() if (key, value) != ("schemaType", "AVRO")}

    def _version(self, subject: str, number: int) -> dict[str, Any]:
        version = self.subjects[subject].index(number) + 1
        return {"subject": subject, "version": version, "id": number, **self._told(number)}

    def _register(self, subject: str, body: dict[str, Any]) -> int:
        kind, text = body.get("schemaType", "AVRO"), body["schema"]
        numbers = self.subjects.get(subject, [])
        if kind == "AVRO":
            _check(text)
            if numbers and not _readable(json.loads(text), json.loads(self.schemas[numbers[-1] - 1]["schema"])):
                raise Refusal(409, 409, "Schema being registered is incompatible with an earlier schema")
        number = self._number(body)
        if number is None:
            self.schemas.append({"schema": _canonical(text), "schemaType": kind})
            number = len(self.schemas)
        if number not in numbers:
            self.subjects[subject] = [*numbers, number]
        return number


def _canonical(text: str) -> str:
    return json.dumps(json.loads(text), separators=(",", ":"))


def _check(text: str) -> None:
    import fastavro

    try:
        fastavro.parse_schema(json.loads(text))
    except Exception as error:
        raise Refusal(422, 42201, f"Invalid schema: {error}") from None


def _readable(new: Any, old: Any) -> bool:
    """Whether records of the old schema can be read with the new one: new fields have defaults."""
    if not (isinstance(new, dict) and isinstance(old, dict) and "fields" in new and "fields" in old):
        return bool(new == old)
    known = {field["name"] for field in old["fields"]}
    return all(field["name"] in known or "default" in field for field in new["fields"])


@contextmanager
def schema_registry(**login: str) -> Iterator[Registry]:
    """One that listens."""
    registry = Registry(**login)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, answer = 200, registry.handle(
                    self.command, self.path, self.headers.get("Authorization"), json.loads(body or "{}")
                )  # fmt: skip
            except Refusal as refusal:
                status, answer = refusal.status, {"error_code": refusal.code, "message": str(refusal)}
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", CONTENT)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _serve  # noqa: N815 - as the library calls them

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    registry.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
