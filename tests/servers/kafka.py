"""A Kafka of its own, on loopback: brokers from the published artifacts, with the Java and Maven of the machine.

Each broker is a controller too. For the sake of fault tests, any of them can be paused, killed, stopped cleanly and
started again, and can have a small disk to be filled.

The artifacts are resolved once, into a folder of the user's cache. Standard library only: `scripts/kafka` uses this
without the project's environment.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.disk import SmallDisk
from tests.servers.ports import free_ports

VERSION = "4.3.1"
JAVA = 17
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>langstream</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>%s</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
MEMORY = ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
QUIET = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS",
)
START_SECONDS = 180
STOP_SECONDS = 30
UNSECURED = 'unsecuredLoginStringClaim_sub="app"'
USER, PASSWORD = "app", "pass word;'1"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
BEARER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"


def missing() -> str | None:
    """Why no broker can be started here, or None."""
    java = shutil.which("java")
    if java is None:
        return "Java is not installed"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < JAVA:
        return f"Kafka {VERSION} needs Java {JAVA}; this is {told.splitlines()[0] if told else 'unknown'}"
    if not artifacts_folder().is_dir() and shutil.which("mvn") is None:
        return "Maven is not installed, which fetches Kafka the first time"
    return None


def artifacts_folder(version: str = VERSION) -> Path:
    """Where the jars are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "langstream-tests" / f"kafka-{version}"


def artifacts(version: str = VERSION) -> Path:
    """The folder with the jars, fetched if this is the first time."""
    folder = artifacts_folder(version)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(folder, version)
    return folder


def _fetch(folder: Path, version: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        (Path(work) / "pom.xml").write_text(POM % version)
        command = ["mvn", "-q", "-B", PLUGIN, "-DincludeScope=runtime", f"-DoutputDirectory={work}/jars"]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Maven could not fetch Kafka {version}:\n{done.stdout}{done.stderr}")
        (Path(work) / "jars").rename(folder)


class Kafka:
    """Brokers, each a controller too, with an open listener and one that asks for a login (`USER`, `PASSWORD`)."""

    def __init__(
        self,
        directory: Path,
        brokers: int = 1,
        ports: Sequence[int] = (),
        properties: Mapping[str, str] | None = None,
        tls: Mapping[str, str] | None = None,
        disk_megabytes: int | None = None,
        version: str = VERSION,
    ) -> None:
        """`disk_megabytes`: every broker's data is on a disk of this size (see `tests.servers.disk.missing`)."""
        self._directory = directory
        self._version = version
        self._brokers = brokers
        self._properties = dict(properties or {})
        self._tls = dict(tls or {})
        free = free_ports(3 * brokers)
        self._ports = list(ports) or free[:brokers]
        self._login_ports = free[brokers : 2 * brokers]
        self._controller_ports = free[2 * brokers :]
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._disks: dict[int, SmallDisk] = {}
        if disk_megabytes is not None:
            self._disks = {number: SmallDisk(self._place(number) / "data", disk_megabytes) for number in range(brokers)}
        self._admin: Any = None

    @property
    def brokers(self) -> range:
        """Their numbers; the ids that Kafka knows are one more."""
        return range(self._brokers)

    @property
    def bootstrap(self) -> str:
        """The open listeners."""
        return ",".join(f"127.0.0.1:{port}" for port in self._ports)

    @property
    def bootstrap_with_login(self) -> str:
        """The listeners that ask for a login; with TLS if it was configured."""
        return ",".join(f"localhost:{port}" for port in self._login_ports)

    def start(self) -> None:
        """Format the storage and start every broker; ready when this returns."""
        jars = artifacts(self._version)
        for disk in self._disks.values():
            disk.mount()
        formats = [self._format(jars, number) for number in range(self._brokers)]
        for process in formats:
            _, told = process.communicate()
            if process.returncode:
                raise RuntimeError(f"Kafka's storage could not be formatted: {told.decode()}")
        for number in range(self._brokers):
            self.start_broker(number, wait=False)
        for number in range(self._brokers):
            self._wait(number)

    def start_broker(self, number: int, wait: bool = True) -> None:
        """Start one that is not running."""
        place = self._place(number)
        jars, properties = artifacts(self._version), place / "server.properties"
        command = ["java", *MEMORY, *QUIET, "-cp", f"{jars}/*", "kafka.Kafka", str(properties)]
        with (place / "broker.log").open("ab") as log:
            self._processes[number] = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, preexec_fn=_end_with_parent
            )
        if wait:
            self._wait(number)

    def topics(self) -> set[str]:
        """The names of all topics but the brokers' own."""
        return topics(self._client())

    def committed(self, prefix: str) -> set[str]:
        """The topics of which a group whose name begins so has committed offsets."""
        from confluent_kafka import ConsumerGroupTopicPartitions

        admin = self._client()
        groups = [found.group_id for found in admin.list_consumer_groups(request_timeout=60).result().valid]
        asked = [ConsumerGroupTopicPartitions(group) for group in groups if group.startswith(prefix)]
        answers = [admin.list_consumer_group_offsets([each], request_timeout=60)[each.group_id] for each in asked]
        offsets = [offset for answer in answers for offset in answer.result().topic_partitions or ()]
        return {offset.topic for offset in offsets if offset.offset >= 0}

    def clear(self) -> None:
        """Delete every topic."""
        delete_topics(self._client())

    def kill(self, number: int) -> None:
        """SIGKILL one."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def shut_down(self, number: int) -> None:
        """Stop one cleanly: it hands its partitions to the others first. Killed if it takes too long."""
        process = self._processes.pop(number)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def pause(self, number: int) -> None:
        """SIGSTOP: its connections stay open, and nobody answers; as a stalled network looks from outside."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Go on as if nothing had happened."""
        self._processes[number].send_signal(signal.SIGCONT)

    def running(self, number: int) -> bool:
        """Whether the process is there, paused or not."""
        process = self._processes.get(number)
        return process is not None and process.poll() is None

    def tell_where(self, number: int) -> None:
        """Have it write into its log what every thread is at."""
        if self.running(number):
            self._processes[number].send_signal(signal.SIGQUIT)

    def fill_disk(self, number: int) -> None:
        """Leave no room on the broker's small disk. A broker that notices ends itself."""
        self._disks[number].fill()

    def free_disk(self, number: int) -> None:
        """Make room again; a broker that ended itself is to be started."""
        self._disks[number].free()

    def controller(self) -> int | None:
        """The number of the broker that is the active controller, as far as any of them has recorded."""
        latest, leader = -1, None
        for number in self.brokers:
            state = self._place(number) / "data" / "__cluster_metadata-0" / "quorum-state"
            try:
                known = json.loads(state.read_text())
            except (OSError, ValueError):  # not there yet, or just being written
                continue
            if known["leaderId"] > 0 and known["leaderEpoch"] > latest:
                latest, leader = known["leaderEpoch"], known["leaderId"] - 1
        return leader

    def stop(self) -> None:
        """End all, without ceremony: the data is not needed any more."""
        self._admin = None
        for number in list(self._processes):
            self.kill(number)
        for disk in self._disks.values():
            disk.unmount()

    def log(self, number: int = 0) -> str:
        """What the broker wrote."""
        return (self._place(number) / "broker.log").read_text(errors="replace")

    # --- parts ------------------------------------------------------------------------------------------------------

    def _client(self) -> Any:
        from confluent_kafka.admin import AdminClient

        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self._admin

    def _place(self, number: int) -> Path:
        return self._directory / f"broker-{number}"

    def _format(self, jars: Path, number: int) -> subprocess.Popen[bytes]:
        place = self._place(number)
        place.mkdir(parents=True, exist_ok=True)
        (place / "server.properties").write_text(
            "".join(f"{name}={value}\n" for name, value in self._settings(number, place).items())
        )
        command = [
            "java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *QUIET, "-cp", f"{jars}/*",
            "kafka.tools.StorageTool", "format", "-t", "bGFuZ3N0cmVhbS10ZXN0cw", "-c", str(place / "server.properties"),
            "--add-scram", f"SCRAM-SHA-512=[name={USER},password=\"{PASSWORD}\"]",
        ]  # fmt: skip
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def _settings(self, number: int, place: Path) -> dict[str, str]:
        several, enough = str(min(3, self._brokers)), "2" if self._brokers > 2 else "1"
        voters = ",".join(f"{n + 1}@127.0.0.1:{port}" for n, port in enumerate(self._controller_ports))
        port, login, controller = self._ports[number], self._login_ports[number], self._controller_ports[number]
        return {
            "process.roles": "broker,controller",
            "node.id": str(number + 1),
            "controller.quorum.voters": voters,
            "controller.listener.names": "CONTROLLER",
            "listeners": f"OPEN://127.0.0.1:{port},LOGIN://127.0.0.1:{login},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"OPEN://127.0.0.1:{port},LOGIN://localhost:{login}",
            "listener.security.protocol.map": "OPEN:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            + ("LOGIN:SASL_SSL" if self._tls else "LOGIN:SASL_PLAINTEXT"),
            "inter.broker.listener.name": "OPEN",
            "log.dirs": str(place / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": several,
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": several,
            "transaction.state.log.min.isr": enough,
            "default.replication.factor": several,
            "min.insync.replicas": enough,
            "transaction.state.log.num.partitions": "1",
            "group.initial.rebalance.delay.ms": "0",
            "broker.session.timeout.ms": "5000",  # a killed one is kept out so long, and one on a busy machine so soon
            "broker.heartbeat.interval.ms": "500",
            "controller.quorum.fetch.timeout.ms": "4000",  # slow machines are not dead
            "group.min.session.timeout.ms": "1000",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.login.plain.sasl.jaas.config": f"{PLAIN} required user_{USER}=\"{PASSWORD}\";",
            "listener.name.login.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
            "listener.name.login.oauthbearer.sasl.jaas.config": f"{BEARER} required {UNSECURED};",
            **self._tls,
            **self._properties,
        }  # fmt: skip

    def _wait(self, number: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._processes[number].poll() is not None:
                raise RuntimeError(f"Kafka stopped:\n{self.log(number)[-4000:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._ports[number])) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"Kafka did not start in {START_SECONDS} s:\n{self.log(number)[-4000:]}")


def _end_with_parent() -> None:
    """A broker does not outlive the process that started it, however that ends. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


@contextmanager
def kafka(directory: Path, brokers: int = 1, **options: Any) -> Iterator[Kafka]:
    """Started brokers."""
    server = Kafka(directory, brokers, **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def topics(admin: Any) -> set[str]:
    """The names of all topics but the brokers' own."""
    return {name for name in admin.list_topics(timeout=60).topics if not name.startswith("__")}


def delete_topics(admin: Any) -> None:
    """Delete every topic but the brokers' own; they are not to be seen any more when this returns."""
    from confluent_kafka import KafkaError, KafkaException

    names = topics(admin)
    for answer in admin.delete_topics(list(names)).values() if names else ():
        try:
            answer.result(60)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:  # it was being deleted already
                raise
    deadline = time.monotonic() + 60
    while left := names & topics(admin):
        if time.monotonic() > deadline:
            raise RuntimeError(f"Kafka still shows topics that it deleted: {sorted(left)}")
        time.sleep(0.02)
