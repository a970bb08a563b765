"""The applications that ask one model one thing: completions of every protocol, vectors of Hugging Face."""

from __future__ import annotations

import json
from typing import Any

from tests.apps.catalogue.conftest import Launch, Serve, structures
from tests.apps.catalogue.thinking import KEY, Bedrock, Google, HuggingFace, OpenAI, vector
from tests.apps.chat import ask, listen


def test_openai_completions_streams_to_the_one_who_asked_and_keeps_the_history(launch: Launch, serve: Serve) -> None:
    model = OpenAI(lambda body: f"You said: {body['messages'][-1]['content']}")
    serve(model)
    secrets = {
        "provider": "openai",
        "url": f"{model.url}/v1",
        "access-key": KEY,
        "chat-completions-model": "gpt-4o-mini",
    }
    app = launch("openai-completions", {"open-ai": secrets})
    assert ask(app, "chat", "who's <there> & why?", sessionId="one") == "You said: Somebody asks: who's <there> & why?"

    with app.socket("consume", "consume-output", **{"param:sessionId": "two", "option:position": "latest"}) as two:
        ask(app, "chat", "not for two", sessionId="one")
        with app.socket("produce", "produce-input", **{"param:sessionId": "two"}) as produce:
            produce.send(json.dumps({"value": "for two"}))
            assert json.loads(produce.recv(timeout=60))["status"] == "OK"
        assert listen(two) == "You said: Somebody asks: for two"

    first, *_ = structures(app.consume("consume-history", 3))
    assert first["question"] == "who's <there> & why?"
    assert first["answer"] == "You said: Somebody asks: who's <there> & why?"
    log = json.loads(first["prompt"])
    assert log["model"] == "gpt-4o-mini"
    assert [message["role"] for message in log["messages"]] == ["system", "user"]
    sent = model.bodies("/v1/chat/completions")[0]
    assert (sent["model"], sent["temperature"], sent["max_tokens"], sent["stream"]) == ("gpt-4o-mini", 0.25, 300, True)
    assert KEY not in app.log.read_text()
    metrics = app.get("/management/prometheus")[1]
    assert "openai_chat_completions_num_calls" in metrics


def test_openai_text_completions_come_with_the_probabilities_of_their_tokens(launch: Launch, serve: Serve) -> None:
    model = OpenAI(lambda body: [("Dear ", -0.1), ("friend", -2.5), (", ", -0.2), ("yes.", -0.3)])
    serve(model)
    app = launch("openai-text-completions", {"open-ai": {"url": f"{model.url}/v1", "access-key": KEY}})
    app.produce("produce-input", "shall we?", headers={"h": "1"})
    (value,) = structures(app.consume("consume-output", 1))
    assert value["answer"] == "Dear friend, yes."
    assert value["logprobs"]["tokens"][:4] == ["Dear ", "friend", ", ", "yes."]
    assert value["logprobs"]["logprobs"][:4] == [-0.1, -2.5, -0.2, -0.3]
    assert json.loads(value["prompt"])["messages"] == ["Continue politely: shall we?"]
    (sent,) = model.bodies("/v1/completions")
    assert (sent["prompt"], sent["logprobs"], sent["stop"]) == (["Continue politely: shall we?"], 5, ["###"])
    with app.socket("consume", "consume-stream", **{"option:position": "earliest"}) as socket:
        assert listen(socket) == "Dear friend, yes."


def test_bedrock_text_completions_are_found_by_the_expression(launch: Launch, serve: Serve) -> None:
    model = Bedrock()
    serve(model)
    secrets = {"region": "eu-west-1", "access-key": "AKIDTEST", "secret-key": KEY, "endpoint-override": model.url}
    app = launch("bedrock-text-completions", {"bedrock": secrets})
    app.produce("produce-input", "Why?")
    (value,) = structures(app.consume("consume-output", 1))
    assert value["answer"] == "Of Why? Answer in one sentence. I know nothing."
    (request,) = model.requests
    assert request["body"] == {"prompt": "Why? Answer in one sentence.", "temperature": 0.5, "maxTokens": 300}
    assert "/eu-west-1/bedrock/aws4_request" in request["headers"]["authorization"]
    assert KEY not in app.log.read_text()


def test_vertexai_text_completions_are_predictions(launch: Launch, serve: Serve) -> None:
    model = Google()
    serve(model)
    secrets = {"url": model.url, "token": KEY, "region": "us-central1", "project": "the-project"}
    app = launch("vertexai-text-completions", {"vertex-ai": secrets})
    app.produce("produce-input", "rain")
    (value,) = structures(app.consume("consume-output", 1))
    assert value["answer"] == "predicted: What would you say about rain?"
    (request,) = model.requests
    assert request["body"]["parameters"] == {"maxOutputTokens": 20}


def test_compute_hugging_face_gives_every_text_its_vector_in_order(launch: Launch, serve: Serve) -> None:
    encoder = HuggingFace()
    serve(encoder)
    secrets = {
        "provider": "api",
        "access-key": KEY,
        "api-url": f"{encoder.url}/vectors/",
        "model-check-url": f"{encoder.url}/api/models",
    }
    app = launch("compute-hugging-face", {"hugging-face": secrets})
    texts = [f"sentence number {n} about nothing" for n in range(9)]
    for text in texts:
        app.produce("produce-input", text, key="same")
    values: list[Any] = structures(app.consume("consume-output", len(texts)))
    assert [value["text"] for value in values] == texts
    assert [value["embeddings"] for value in values] == [vector(text) for text in texts]
    checks = [request for request in encoder.requests if request["path"].startswith("/api/models")]
    assert len(checks) == 1
    assert max(len(request["body"]["inputs"]) for request in encoder.requests if request["body"]) <= 4
