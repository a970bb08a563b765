"""Whatever is bound to a `?`, a query is sent as it was written, with that value in that place and nothing else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote

import pytest
from aiohttp import web
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from langstream.errors import ServiceError
from langstream.services.stores.connection import connect
from langstream.services.stores.contract import Store
from langstream.services.stores.milvus.queries import literal, with_literals
from tests.services.stores.wire_server import Answer, WireServer

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1)  # lines no test server routes
SCALARS = TEXTS | st.integers(-(2**53), 2**53) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = SCALARS | st.none() | st.lists(SCALARS, max_size=3) | st.dictionaries(TEXTS, SCALARS, max_size=2)
HOSTILE = ('"}, {"x": "', "?", '\\" ? \\', "') or (1 == 1", "${lang} {lang} {!func}$lang", "\x01?0", "\x00")
SENTINEL = "the value stands here"
FEW = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

STORES: Mapping[str, tuple[dict[str, Any], str]] = {
    "astra-vector-db": (
        {"endpoint": "URL", "token": "t"},
        '{"collection-name": "docs", "filter": {"lang": ?}, "limit": 5, "select": ["what?"]}',
    ),
    "chroma": ({"url": "URL"}, '{"collection-name": "docs", "where": {"lang": ?}}'),
    "opensearch": (
        {"host": "127.0.0.1", "port": "PORT", "https": False, "index-name": "docs"},
        '{"size": 3, "query": {"bool": {"filter": [{"term": {"lang": ?}}, {"term": {"mark": "?"}}]}}}',
    ),
    "pinecone": (
        {"api-key": "k", "index-name": "docs", "endpoint": "URL"},
        '{"vector": [1, 2], "topK": 5, "filter": {"$and": [{"genre": {"$eq": ?}}]}}',
    ),
    "qdrant": (
        {"url": "URL"},
        '{"collection-name": "docs", "filter": {"must": [{"key": "lang", "match": {"value": ?}}]}, "vector": [1]}',
    ),
    "solr": (
        {"host": "127.0.0.1", "port": "PORT", "collection-name": "docs"},
        '{"q": "{!term f=lang v=$lang}", "lang": ?, "fl": "id,text", "fq": "really?"}',
    ),
}
"""Of every store that is sent JSON or a form: a resource, and a query with one parameter."""


class Listener(WireServer):
    """Keeps the last request, and answers every search with nothing found."""

    heard: Any = None

    async def _handle(self, request: web.Request) -> web.Response:
        text = (await request.read()).decode()
        form = request.content_type.endswith("form-urlencoded")
        content = parse_qs(text, keep_blank_values=True) if form else json.loads(text or "null")
        self.heard = (request.method, request.raw_path, content)
        _, answer = await self.answer(request, content)
        return web.json_response(answer)

    async def answer(self, request: web.Request, body: Any) -> Answer:
        return 200, {
            "id": "c", "ids": [], "matches": [], "hits": {"hits": []}, "response": {"docs": []},
            "data": {"documents": []}, "result": {"points": []},
        }  # fmt: skip


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with Listener() as server:
        yield server


@pytest.fixture(params=sorted(STORES))
async def asked(request: pytest.FixtureRequest, listener: Listener) -> AsyncIterator[tuple[Store, str]]:
    """A store that is connected to the listener, and its query."""
    options, query = STORES[request.param]
    places = {"URL": listener.url, "PORT": listener.port}
    filled = {name: places.get(value, value) for name, value in options.items()}
    store = connect("Store", {"service": request.param, **filled}, None)
    await store.start()
    yield store, query
    await store.close()


def put_in(content: Any, value: Any) -> Any:
    """The content with the value in place of the sentinel."""
    if isinstance(content, list | tuple):
        return type(content)(put_in(item, value) for item in content)
    if isinstance(content, dict):
        return {name: put_in(item, value) for name, item in content.items()}
    return value if content == SENTINEL else content


@FEW
@given(value=VALUES)
@example(value=HOSTILE[0])
@example(value=HOSTILE[1])
@example(value=HOSTILE[2])
@example(value={"$ne": "?"})
async def test_a_value_is_sent_in_its_place_and_changes_nothing_else(
    asked: tuple[Store, str], listener: Listener, value: Any
) -> None:
    store, query = asked
    await store.query(query, [SENTINEL])
    expected = listener.heard
    if "expandMacros" in expected[2] and not isinstance(value, str):
        return  # a form, which has text only: see below
    await store.query(query, [value])
    assert listener.heard == put_in(expected, value)


@FEW
@given(value=VALUES)
async def test_a_form_says_other_values_as_json(listener: Listener, value: Any) -> None:
    options, query = STORES["solr"]
    store = connect("Store", {"service": "solr", **options, "port": listener.port}, None)
    await store.start()
    try:
        await store.query(query, [value])
    finally:
        await store.close()
    sent = dict(listener.heard[2])
    found = sent.pop("lang", None)
    if value is None or value == []:
        assert found is None
    elif isinstance(value, str):
        assert found == [value]
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        assert found == value
    else:
        assert found is not None
        assert json.loads(found[0]) == value
    assert sent == {
        "q": ["{!term f=lang v=$lang}"],
        "fl": ["id,text"],
        "fq": ["really?"],
        "expandMacros": ["false"],
        "wt": ["json"],
    }


PATHS: Final = {
    "astra-vector-db": ("query", '{"collection-name": ?}', "/api/json/v1/default_keyspace/NAME"),
    "chroma": ("query", '{"collection-name": ?}', None),
    "opensearch": ("execute", '{"action": "delete", "id": ?}', "/docs/_doc/NAME"),
    "qdrant": ("query", '{"collection-name": ?, "vector": [1]}', "/collections/NAME/points/query"),
}
"""Queries that put a value into the path of a request."""


@pytest.mark.parametrize("asked", PATHS, indirect=True)
@FEW
@given(name=NAMES)
@example(name="..")
@example(name=".")
@example(name="../other")
@example(name="a/b?c=d#e%2F..")
async def test_a_value_in_a_path_is_one_step_of_it(
    asked: tuple[Store, str], listener: Listener, request: pytest.FixtureRequest, name: str
) -> None:
    store, _ = asked
    how, query, path = PATHS[request.node.callspec.params["asked"]]
    listener.heard = None
    if name in (".", ".."):
        with pytest.raises(ServiceError, match="cannot be the name or the id") as caught:
            await getattr(store, how)(query, [name])
        assert not caught.value.retryable
        assert listener.heard is None
        return
    await getattr(store, how)(query, [name])
    assert path is None or listener.heard[1] == path.replace("NAME", quote(name, safe=""))


@given(SCALARS | st.lists(SCALARS, max_size=3))
@example(HOSTILE[3])
@example(HOSTILE[4])
def test_a_value_in_a_filter_of_milvus_is_one_literal(value: Any) -> None:
    written = with_literals("lang == {lang} and text != '{lang}'", {"lang": value})
    assert written.startswith("lang == ")
    assert written.endswith(" and text != '{lang}'")
    assert json.loads(written[len("lang == ") : -len(" and text != '{lang}'")]) == value
    assert written.count(literal(value)) >= 1


@pytest.mark.parametrize("url", ["jdbc:herddb:server:localhost:7000", "jdbc:sqlite:", "jdbc:duckdb:"])
@FEW
@given(value=TEXTS)
@example(value="'; DROP TABLE docs; --")
@example(value="?, $1, %s, :x, @x")
async def test_a_value_in_sql_is_bound(url: str, value: str, tmp_path: Path) -> None:
    store = connect("Store", {"service": "jdbc", "url": url}, None)
    await store.start()
    try:
        rows = await store.query(
            'SELECT \'?\' AS mark, ? AS given, "a?" AS named FROM (SELECT 1 AS "a?") AS t', [value]
        )
        assert rows == [{"mark": "?", "given": value, "named": 1}]
    finally:
        await store.close()
