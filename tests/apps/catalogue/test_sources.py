"""The applications that bring documents in: from a web site, a bucket of S3 and a container of Azure."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from langstream.services.objects.http import HttpObjectStore
from tests.apps.application import RunningApp
from tests.apps.catalogue.conftest import Launch, Serve, structures
from tests.apps.catalogue.thinking import KEY, OpenAI, Pages, vector, words
from tests.apps.chat import ask
from tests.servers.opensearch import OpenSearch
from tests.services.ai.bedrock.bedrock_server import BedrockServer
from tests.services.ai.fake_server import FakeServer, Reply
from tests.services.objects.benches import AzureBench, S3Bench, StoreBench
from tests.services.objects.fixtures import azure_address, s3_address  # noqa: F401 - fixtures
from tests.services.objects.servers import ACCOUNT, ACCOUNT_KEY

AWS_KEY = "AKIDCATALOGUE"
DOCUMENTS = Path(__file__).parents[3] / "examples" / "chat-with-docs" / "documents"


class Azure(FakeServer):
    """Vectors in the layout of Azure; one text makes it fail."""

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        path = "/openai/deployments/text-embedding-ada-002/embeddings"
        assert (request["path"], request["headers"].get("api-key")) == (path, KEY)
        if any("forbidden" in text for text in request["body"]["input"]):
            return Reply(status=400, body={"error": {"message": "filtered", "code": "content_filter"}})
        data = [{"index": i, "embedding": vector(text)} for i, text in enumerate(request["body"]["input"])]
        return Reply(body={"data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}})


def stored(bench: StoreBench, objects: Mapping[str, bytes]) -> None:
    """Put the objects into the bucket, which is made."""

    async def put() -> None:
        store = bench.store()
        assert isinstance(store, HttpObjectStore)
        await store.start()
        try:
            await store.ensure_bucket()
        finally:
            await store.close()
        try:
            for name, data in objects.items():
                await bench.put(name, data)
        finally:
            await bench.close()

    asyncio.run(put())


def left(bench: StoreBench) -> list[str]:
    """The names of the bucket's objects."""

    async def look() -> list[str]:
        try:
            return await bench.names()
        finally:
            await bench.close()

    return asyncio.run(look())


def eventually(condition: Callable[[], bool], app: RunningApp) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, app.log.read_text()
        time.sleep(0.1)


def test_webcrawler_source_emits_what_is_new_changed_and_gone(launch: Launch, serve: Serve) -> None:
    site = {
        "/": "<p>This page leads to the other pages of the site.</p><a href='/one'>1</a><a href='/deutsch'>2</a>"
        "<a href='/drafts/x'>3</a><a href='/late'>4</a>",
        "/one": "<p>The first version of the page about the weather in the mountains.</p>",
        "/deutsch": "<p>Diese Seite ist auf Deutsch geschrieben und wird deshalb nicht weitergegeben.</p>",
        "/drafts/x": "<p>Nobody should see the draft of this page.</p>",
        "/late": "<p>This page will be deleted after a while, and then it is gone.</p>",
    }

    def answer(request: Mapping[str, Any]) -> Reply:
        text = site.get(request["path"])
        if text is None:
            return Reply(status=404, body=b"")
        return Reply(body=f"<html><body>{text}</body></html>".encode(), content_type="text/html")

    pages, model = Pages(answer), OpenAI(lambda body: "")
    serve(pages)
    serve(model)
    secrets = {"open-ai": {"url": f"{model.url}/v1", "access-key": KEY}}
    app = launch("webcrawler-source", secrets, site=pages.url)
    chunks = structures(app.consume("chunks", 3, seconds=60))
    assert {chunk["filename"].removeprefix(pages.url) for chunk in chunks} == {"/", "/one", "/late"}
    assert all(chunk["embeddings_vector"] == vector(chunk["text"]) for chunk in chunks)
    assert {chunk["language"] for chunk in chunks} == {"en"}
    site["/one"] = "<p>The second version of the page about the weather in the mountains.</p>"
    del site["/late"]
    changed = structures(app.consume("chunks", 4, seconds=60))[-1]
    assert (changed["text"], changed["content_diff"]) == (
        "the second version of the page about the weather in the mountains.",
        "content_changed",
    )
    (gone,) = app.consume("gone", 1, seconds=60)
    assert gone["record"]["value"] == f"{pages.url}/late"
    assert not any(request["path"].startswith("/drafts") for request in pages.requests)


def test_s3_source_drains_the_bucket(launch: Launch, s3_address: str) -> None:  # noqa: F811
    bench = S3Bench(s3_address)
    stored(
        bench, {"a.txt": b"  plain  text ", "b.html": b"<p>marked <b>up</b></p>", "c.bin": b"\0\1", "d/e.txt": b"deep"}
    )
    secrets = {
        "endpoint": s3_address,
        "access-key": "key",
        "secret-key": "secret",
        "region": "",
        "bucket": bench.bucket,
    }
    app = launch("s3-source", {"s3": secrets})
    frames = app.consume("texts", 2)
    assert [(frame["record"]["key"], frame["record"]["value"]) for frame in frames] == [
        ("a.txt", "plain text"),
        ("b.html", "marked up"),
    ]
    assert frames[0]["record"]["headers"]["name"] == "a.txt"
    eventually(lambda: left(bench) == ["c.bin", "d/e.txt"], app)
    stored(bench, {"late.md": b"# Late"})
    assert app.consume("texts", 3)[-1]["record"]["key"] == "late.md"


def test_azure_document_ingestion_makes_documents_searchable(
    launch: Launch,
    serve: Serve,
    azure_address: str,  # noqa: F811
) -> None:
    bench = AzureBench(azure_address)
    model = Azure()
    serve(model)
    names = ["operations.pdf", "agents.docx", "gateways.html", "guarantees.md", "faq.txt"]
    objects = {f"handbook/{name}": (DOCUMENTS / name).read_bytes() for name in names}
    stored(bench, {**objects, "bad.txt": b"a forbidden text about elephants"})
    azure = {
        "endpoint": azure_address,
        "container": bench.bucket,
        "storage-account-name": ACCOUNT,
        "storage-account-key": ACCOUNT_KEY,
    }
    app = launch("azure-document-ingestion", {"azure": azure, "open-ai": {"url": model.url, "access-key": KEY}})
    eventually(lambda: left(bench) == [], app)
    (failed,) = app.consume("failed", 1)
    assert json.loads(failed["record"]["value"])["text"] == "a forbidden text about elephants"

    def found(question: str) -> dict[str, Any]:
        status, text = app.request("POST", f"/api/gateways/service/default/{app.name}/search", {"value": question})
        assert status == 200, text
        best: dict[str, Any] = json.loads(json.loads(text)["record"]["value"]).get("found") or {}
        return best

    chunks = {chunk["filename"]: chunk["text"] for chunk in structures(app.consume("chunks", len(names) + 1))}
    assert set(chunks) <= {"bad.txt", *objects}
    for name in chunks.keys() - {"bad.txt"}:
        eventually(lambda name=name: found(chunks[name]).get("filename") == name, app)  # type: ignore[misc]


class Titan(BedrockServer):
    """Vectors of Titan, and a model that repeats the first passage it is given."""

    def reply_to(self, request: Mapping[str, Any]) -> Reply:
        assert f"Credential={AWS_KEY}/" in request["headers"]["authorization"]
        if request["raw_path"] == "/model/amazon.titan-embed-text-v1/invoke":
            return Reply(body={"embedding": vector(request["body"]["inputText"]), "inputTextTokenCount": 3})
        passages = request["body"]["system"][0]["text"].splitlines()[1:]
        self.replies.clear()
        self.chat(*words(f"Read: {passages[0] if passages else 'nothing'}"))
        return self.replies.pop()


def test_rag_aws_answers_from_the_bucket(
    launch: Launch,
    serve: Serve,
    s3_address: str,  # noqa: F811
    opensearch_server: OpenSearch,
) -> None:
    bench, model = S3Bench(s3_address), Titan()
    serve(model)
    stored(
        bench,
        {
            "keeper.txt": b"The lighthouse keeper feeds parrots every morning.",
            "rail.md": b"Railways publish timetables before winter begins.",
            "bread.html": b"<p>Bakers knead dough long before sunrise.</p>",
        },
    )
    aws = {"region": "us-east-1", "access-key": AWS_KEY, "secret-key": "very-secret", "bucket": bench.bucket}
    search = {"host": "127.0.0.1", "port": str(opensearch_server.port), "username": "admin", "password": "admin"}
    endpoints = {"s3-endpoint": s3_address, "bedrock-endpoint": model.url}
    app = launch("rag-aws", {"aws": {**aws, **endpoints}, "opensearch": search})
    eventually(lambda: left(bench) == [], app)
    eventually(lambda: "parrots" in ask(app, "chat", "What does the lighthouse keeper feed?", session="ann"), app)
    eventually(
        lambda: "(bread.html)" in ask(app, "chat", "Who kneads dough before sunrise? Bakers?", session="bob"), app
    )
    first = structures(app.consume("log", 1))[0]
    assert first["question"] == "What does the lighthouse keeper feed?"
    assert "very-secret" not in app.log.read_text()
