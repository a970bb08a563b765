"""`langstream run` with more replicas than partitions, which share them by key, on a real Pulsar."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from textwrap import dedent
from typing import Any

from tests.apps.application import RunningApp
from tests.servers.pulsar import Pulsar
from tests.topics.pulsar.moves import until_true

FILES = {
    "pipeline.yaml": """
        topics:
          - name: in
            creation-mode: create-if-not-exists
            options: {consumer.subscriptionType: key-shared}
          - {name: out, creation-mode: create-if-not-exists}
        pipeline:
          - type: compute
            input: in
            output: out
            resources: {parallelism: 3}
            configuration: {fields: [{name: value.twice, expression: "value.n * 2"}]}
    """,
    "gateways.yaml": """
        gateways:
          - {id: in, type: produce, topic: in}
          - {id: out, type: consume, topic: out}
    """,
}
KEYS = 40
"""So many that chance gives each replica some."""


def produce(app: RunningApp, numbers: range) -> None:
    for n in numbers:
        app.produce("in", {"n": n}, key=f"key-{n % KEYS}")


def read(app: RunningApp, count: int) -> list[int]:
    """From the beginning until so many different records came."""
    seen: list[int] = []
    with app.socket("consume", "out", **{"option:position": "earliest"}) as socket:
        while len(set(seen)) < count:
            record = json.loads(socket.recv(timeout=60))["record"]
            seen.append(json.loads(record["value"])["twice"] // 2)
            assert record["key"] == f"key-{seen[-1] % KEYS}"
    return seen


def in_order(seen: list[int]) -> bool:
    """Whether the first results of each key are."""
    per_key = defaultdict(list)
    for number in dict.fromkeys(seen):
        per_key[number % KEYS].append(number)
    return all(each == sorted(each) for each in per_key.values())


def test_replicas_share_one_partition_and_keep_keys_in_order(
    pulsar_server: Pulsar, instance: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "application"
    directory.mkdir()
    for name, text in FILES.items():
        (directory / name).write_text(dedent(text), encoding="utf-8")
    configuration = json.loads(instance.read_text())["instance"]["streamingCluster"]["configuration"]
    place = f"persistent/{configuration['default-tenant']}/{configuration['default-namespace']}/in/stats"

    def members() -> list[dict[str, Any]]:
        (subscription,) = pulsar_server.ask("GET", place)["subscriptions"].values()
        assert subscription["type"] == "Key_Shared"
        found: list[dict[str, Any]] = subscription["consumers"]
        return found

    options = ("-i", str(instance), "--no-ui")
    app = RunningApp(directory, *options, log=tmp_path / "run.log")
    try:
        until_true(lambda: len(members()) == 3)
        produce(app, range(2 * KEYS))
        seen = read(app, 2 * KEYS)
        assert seen == list(dict.fromkeys(seen)), "nothing is repeated"
        assert in_order(seen)
        assert all(member["msgOutCounter"] > 0 for member in members()), "every replica works"
    finally:
        app.kill()
