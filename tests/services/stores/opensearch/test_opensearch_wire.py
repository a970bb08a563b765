"""What goes over the wire to OpenSearch: signatures, bulk requests and their outcomes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web

from langstream.configuration.validation import check
from langstream.errors import ServiceError
from langstream.services.stores.contract import Write
from langstream.services.stores.http import Request
from langstream.services.stores.opensearch import STORE
from langstream.services.stores.opensearch.configuration import OpenSearchConfiguration, OpenSearchSinkConfiguration
from langstream.services.stores.opensearch.connection import signature
from langstream.services.stores.opensearch.store import OpenSearchStore
from langstream.services.stores.opensearch.table import LONGEST_REQUEST
from tests.services.stores.wire_server import WireServer

SECRET = "s3cret-of-opensearch"


class Scripted(WireServer):
    """Gives the next of the prepared answers to each request, and keeps the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[web.Request, bytes]] = []
        self.answers: list[tuple[int, Any]] = []

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests.append((request, await request.read()))
        status, answer = self.answers.pop(0)
        return web.json_response(answer, status=status)


@pytest.fixture
async def scripted() -> AsyncIterator[tuple[Scripted, OpenSearchStore]]:
    async with Scripted() as server:
        configuration = {
            "service": "opensearch", "host": "127.0.0.1", "port": server.port, "https": False,
            "index-name": "docs", "username": "user", "password": SECRET,
        }  # fmt: skip
        store = OpenSearchStore(OpenSearchConfiguration.model_validate(configuration))
        await store.start()
        yield server, store
        await store.close()


def sink(**options: Any) -> OpenSearchSinkConfiguration:
    fields = [{"name": "text", "expression": "value.text"}]
    return OpenSearchSinkConfiguration.model_validate({"datasource": "S", "fields": fields, "id": "key", **options})


def bulk(*items: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"errors": True, "items": [{"index": item} for item in items]}


def error(status: int, type: str, reason: str) -> dict[str, Any]:
    return {"status": status, "error": {"type": type, "reason": reason}}


async def test_each_document_has_its_own_outcome(scripted: Any) -> None:
    server, store = scripted
    server.answers = [
        bulk(
            {"status": 201},
            error(400, "mapper_parsing_exception", "failed to parse"),
            error(429, "es_rejected_execution_exception", "queue full"),
            {"status": 404, "result": "not_found"},
        )
    ]
    writes = [Write({"_id": id}, {"text": id, "gone": None}) for id in "abc"]
    outcomes = await store.table(sink(**{"bulk-parameters": {"refresh": "wait_for", "require_alias": True}})).write(
        [*writes, Write({"_id": "d"}, {"text": "d"})]
    )
    assert (outcomes[0], outcomes[3]) == (None, None)
    assert str(outcomes[1]) == "Error indexing document: mapper_parsing_exception - failed to parse"
    assert [outcomes[1].retryable, outcomes[2].retryable] == [False, True]
    (request, body) = server.requests[0]
    assert request.path_qs == "/docs/_bulk?refresh=wait_for&require_alias=true"
    assert request.headers["Authorization"].startswith("Basic ")
    assert [orjson.loads(line) for line in body.splitlines()][:2] == [{"index": {"_id": "a"}}, {"text": "a"}]


async def test_after_a_failed_write_later_ones_with_its_id_are_left_alone(scripted: Any) -> None:
    server, store = scripted
    server.answers = [bulk(error(503, "unavailable_shards_exception", "no shard"), {"status": 201})]
    first, other, second = await store.table(sink()).write(
        [Write({"_id": "a"}, {"text": "1"}), Write({"_id": "b"}, {"text": "1"}), Write({"_id": "a"}, None)]
    )
    assert first.retryable
    assert other is None
    assert second is not None
    assert len(server.requests) == 1


async def test_long_batches_are_several_requests(scripted: Any) -> None:
    server, store = scripted
    server.answers = [bulk(*[{"status": 201}] * 2), bulk(*[{"status": 201}] * 2), bulk({"status": 201})]
    text = "x" * (LONGEST_REQUEST // 2 - 100)
    assert await store.table(sink()).write([Write({"_id": str(n)}, {"text": text}) for n in range(5)]) == [None] * 5
    assert [len(body) <= LONGEST_REQUEST for _, body in server.requests] == [True] * 3


async def test_a_batch_size_is_kept(scripted: Any) -> None:
    server, store = scripted
    server.answers = [bulk(*[{"status": 201}] * 2), bulk({"status": 201})]
    writes = [Write({"_id": str(n)}, {"text": "x"}) for n in range(3)]
    assert await store.table(sink(**{"batch-size": "2", "flush-interval": 0})).write(writes) == [None] * 3


async def test_a_refusal_tells_its_root_causes_but_no_secret(scripted: Any) -> None:
    server, store = scripted
    cause = {"type": "parsing_exception", "reason": f"unknown query [nonsense] {SECRET}"}
    failure = {"type": "x_content_parse_exception", "reason": "[1:11] failed", "root_cause": [cause]}
    server.answers = [(400, {"error": failure, "status": 400})]
    with pytest.raises(ServiceError, match=r"failed\. Root causes: parsing_exception - unknown query") as caught:
        await store.query('{"query": {"nonsense": ?}}', [1])
    assert SECRET not in str(caught.value)
    assert caught.value.category == "refused"


async def test_the_index_of_the_resource_is_searched_whatever_the_query_says(scripted: Any) -> None:
    server, store = scripted
    hit = {"_index": "docs", "_id": '{"my":"id"}', "_score": 1.5, "_source": {"a": 1}}
    server.answers = [(200, {"hits": {"hits": [hit]}})]
    query = '{"index": "others", "size": 12, "query": {"knn": {"v": {"vector": ?, "k": 12}}}}'
    rows = await store.query(query, [[0.5, 1]])
    assert rows == [{"id": '{"my":"id"}', "document": {"a": 1}, "score": 1.5, "index": "docs"}]
    request, body = server.requests[0]
    assert request.path == "/docs/_search"
    assert orjson.loads(body) == {"size": 12, "query": {"knn": {"v": {"vector": [0.5, 1], "k": 12}}}}


def aws(**options: Any) -> Any:
    given = {"service": "opensearch", "index-name": "docs", "username": "AKID", "password": SECRET}
    return check(STORE.configuration, given | options, subject="it")


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("x1.eu-west-1.aoss.amazonaws.com", "eu-west-1/aoss"),
        ("search-x1.us-gov-east-1.es.amazonaws.com", "us-gov-east-1/es"),
    ],
)
async def test_requests_to_aws_are_signed_for_the_service_of_the_host(host: str, scope: str) -> None:
    configuration, _ = aws(host=host, **{"session-token": "temporary"})
    assert configuration.root() == f"https://{host}"
    body = b'{"a": 1}'
    request = Request("POST", f"https://{host}/docs/_search?x=a%20b", body, {"Content-Type": "application/json"})
    headers = await signature(configuration)(request)
    assert f"/{scope}/aws4_request" in headers["Authorization"]
    assert "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token" in headers["Authorization"]
    assert headers["X-Amz-Content-Sha256"] == hashlib.sha256(body).hexdigest()
    assert SECRET not in repr(headers)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"host": "x.amazonaws.com"}, "region is required"),
        ({"host": "x.eu-west-1.es.amazonaws.com", "username": None, "password": None}, "required with AWS"),
        ({"host": "here", "password": None}, "go together"),
        ({"host": "here", "index-name": None}, "'index-name' is required"),
    ],
)
def test_what_cannot_be_connected_with_is_refused(options: dict[str, Any], reason: str) -> None:
    _, problems = aws(**options)
    assert reason in str(problems[0])
    assert SECRET not in str(problems)


@pytest.mark.parametrize(
    "parameters", [{"refresh": "sometimes"}, {"wait_for_active_shards": "most"}, {"nonsense": "1"}]
)
def test_bulk_parameters_are_checked(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bulk-parameters"):
        sink(**{"bulk-parameters": parameters})
