"""The black-box cases on a real Kafka: `python -m tests.conformance.on_kafka`; arguments are passed on to the kit.

The cases stay what they are. The kit starts the product through this module, which gives it an instance file with a
streaming cluster, where the case has none of its own, and a broker without topics. So one application runs at a time.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from confluent_kafka.admin import AdminClient

from tests.servers.kafka import delete_topics, kafka, missing

ROOT = Path(__file__).resolve().parents[2]
KIT = Path(__file__).parent / "kit" / "run.py"
SERVERS = "LANGSTREAM_TEST_KAFKA"
PRODUCT = "as-product"


def main() -> int:
    """Start Kafka and the kit; the status of the kit."""
    reason = missing()
    if reason:
        sys.exit(f"Kafka cannot be started: {reason}.")
    with tempfile.TemporaryDirectory(prefix="kafka-") as directory, kafka(Path(directory)) as server:
        command = shlex.join([sys.executable, "-m", "tests.conformance.on_kafka", PRODUCT])
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONPATH": path, "LANGSTREAM_CMD": command, SERVERS: server.bootstrap}
        options = ["--jobs", "1", *sys.argv[1:]]
        return subprocess.run([sys.executable, str(KIT), *options], env=environment, check=False).returncode


def product(arguments: list[str]) -> None:
    """Become `langstream` with these arguments, on Kafka."""
    servers = os.environ[SERVERS]
    if arguments[0] == "run":
        emptied(servers)
    command = [str(Path(sys.executable).parent / "langstream"), *with_cluster(arguments, servers)]
    os.execv(command[0], command)


def emptied(servers: str) -> None:
    """No topics, and no groups that remember any."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    delete_topics(admin)
    groups = [group.group_id for group in admin.list_consumer_groups(request_timeout=60).result().valid]
    for answer in admin.delete_consumer_groups(groups, request_timeout=60).values() if groups else ():
        answer.exception(60)  # one with members, of an application that was killed, ends with them


def with_cluster(arguments: list[str], servers: str) -> list[str]:
    """The arguments with an instance file that names the cluster."""
    instance: dict[str, object] = {}
    if "-i" in arguments:
        place = arguments.index("-i")
        path = Path(arguments[place + 1])
        instance = yaml.safe_load(path.read_text(encoding="utf-8"))["instance"] or {}
        arguments = arguments[:place] + arguments[place + 2 :]
    else:
        path = Path(arguments[arguments.index("-app") + 1]).parent / "instance.yaml"
    admin = {"bootstrap.servers": servers, "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    cluster = {"type": "kafka", "configuration": {"admin": admin}}
    written = path.with_name("instance-kafka.yaml")
    written.write_text(yaml.safe_dump({"instance": {"streamingCluster": cluster, **instance}}), encoding="utf-8")
    return [*arguments, "-i", str(written)]


if __name__ == "__main__":
    if sys.argv[1:2] == [PRODUCT]:
        product(sys.argv[2:])
    sys.exit(main())
