"""A Pulsar of its own, on loopback: standalone from the published artifacts, with the Java and Maven of the machine.

The artifacts are resolved once, into a folder of the user's cache. Standard library only: `scripts/pulsar` uses this
without the project's environment.
"""

from __future__ import annotations

import base64
import hmac
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers.java import Artifacts, JavaServer
from tests.servers.ports import free_ports

VERSION = "4.0.7"
ARTIFACTS = Artifacts(
    "pulsar",
    VERSION,
    (f"org.apache.pulsar:pulsar-broker:{VERSION}",),
    unused=("confluent", "maven.restlet.org"),
)
MEMORY = (
    "-Xmx512m", "-Xms128m", "-XX:MaxDirectMemorySize=384m", "-Dio.netty.leakDetectionLevel=disabled",
    "-Dpulsar.allocator.exit_on_oom=false",
)  # fmt: skip
OPENED = (
    "java.base/java.lang", "java.base/java.nio", "java.base/jdk.internal.loader", "java.base/jdk.internal.misc",
    "java.base/java.util.zip", "java.base/sun.net", "java.management/sun.management",
    "jdk.management/com.sun.management.internal",
)  # fmt: skip
LOGGING = """<Configuration status="error">
  <Appenders><Console name="out"><PatternLayout pattern="%d %-5p %c{1} %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""
SECRET = b"a secret of thirty-two bytes, ok"
NAMESPACE = "tests/topics"
"""Where tests make their topics."""


def missing() -> str | None:
    """Why no Pulsar can be started here, or None."""
    return ARTIFACTS.missing()


class Pulsar:
    """A broker and a bookie in one process, with the metadata in a file."""

    def __init__(
        self,
        directory: Path,
        port: int | None = None,
        web_port: int | None = None,
        properties: Mapping[str, str] | None = None,
        secured: bool = False,
    ) -> None:
        self._directory = directory
        free = free_ports(5)
        self._port = port or free[0]
        self._web_port = web_port or free[1]
        self._bookie_port = free[2]
        self._properties = dict(properties or {})
        self._secured = secured
        self._tls_ports = free[3:]
        self._server = JavaServer("Pulsar", directory)

    @property
    def service_url(self) -> str:
        """For records."""
        return f"pulsar://127.0.0.1:{self._port}"

    @property
    def admin_url(self) -> str:
        """For administration."""
        return f"http://127.0.0.1:{self._web_port}"

    @property
    def secured_service_url(self) -> str:
        """For records, with TLS; where `secured` was asked for."""
        return f"pulsar+ssl://localhost:{self._tls_ports[0]}"

    @property
    def secured_admin_url(self) -> str:
        """For administration, with TLS."""
        return f"https://localhost:{self._tls_ports[1]}"

    @property
    def certificate(self) -> Path:
        """What clients trust."""
        return self._directory / "certificate.pem"

    @staticmethod
    def token(role: str) -> str:
        """Lets its bearer in as this role. Without any, everything is allowed."""
        parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": role})]
        text = ".".join(_base64(part) for part in parts)
        return f"{text}.{_base64(hmac.digest(SECRET, text.encode(), 'sha256'))}"

    def start(self) -> None:
        """Ready when this returns."""
        self._directory.mkdir(parents=True, exist_ok=True)
        settings = "".join(f"{name}={value}\n" for name, value in self._settings().items())
        (self._directory / "standalone.conf").write_text(settings)
        (self._directory / "log4j2.xml").write_text(LOGGING)
        arguments = [
            *MEMORY, *(f"--add-opens={module}=ALL-UNNAMED" for module in OPENED),
            f"-Dlog4j.configurationFile={self._directory}/log4j2.xml", "-cp", f"{ARTIFACTS.fetched()}/*",
            "org.apache.pulsar.PulsarStandaloneStarter", "--config", "standalone.conf", "--no-stream-storage",
            "--no-functions-worker", "--bookkeeper-port", str(self._bookie_port), "--metadata-dir", "data/metadata",
            "--bookkeeper-dir", "data/bookkeeper",
        ]  # fmt: skip
        self._server.run(arguments, self._ready)

    def _ready(self) -> bool:
        """It answers, and the default namespace is there."""
        try:
            return "public/default" in (self.ask("GET", "namespaces/public") or ())
        except OSError:
            return False

    def clear(self, namespace: str = NAMESPACE) -> None:
        """Delete every topic of a namespace."""
        place = f"persistent/{namespace}"
        for name in self.ask("GET", f"{place}/partitioned") or ():
            self.ask("DELETE", f"{place}/{name.rpartition('/')[2]}/partitions?force=true")
        for name in self.ask("GET", place) or ():
            short = name.rpartition("/")[2]
            if not short.startswith("__"):
                self.ask("DELETE", f"{place}/{short}?force=true")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request to the administration interface; None where there is nothing."""
        request = urllib.request.Request(f"{self.admin_url}/admin/v2/{path}", method=method)
        request.add_header("Content-Type", "application/json")
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=30) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return json.loads(content) if content else None

    def stop(self) -> None:
        """End it, without ceremony."""
        self._server.stop()

    def log(self) -> str:
        """What it wrote."""
        return self._server.log()

    def _settings(self) -> dict[str, str]:
        return {
            "clusterName": "standalone",
            "brokerServicePort": str(self._port),
            "webServicePort": str(self._web_port),
            "bindAddress": "127.0.0.1",
            "advertisedAddress": "127.0.0.1",
            "allowLoopback": "true",
            "managedLedgerDefaultEnsembleSize": "1",
            "managedLedgerDefaultWriteQuorum": "1",
            "managedLedgerDefaultAckQuorum": "1",
            "managedLedgerCacheSizeMB": "32",
            "dbStorage_writeCacheMaxSizeMb": "16",
            "dbStorage_readAheadCacheMaxSizeMb": "8",
            "dbStorage_rocksDB_blockCacheSize": "4194304",
            "journalSyncData": "false",  # the tests end processes, not machines
            "journalMaxSizeMB": "64",
            "diskUsageThreshold": "0.99",
            "diskUsageWarnThreshold": "0.98",
            "nettyMaxFrameSizeBytes": str(
                5 * 1024 * 1024 + 10 * 1024
            ),  # of the bookie: an entry, and what is around it
            "acknowledgmentAtBatchIndexLevelEnabled": "true",
            "allowAutoTopicCreation": "false",
            "loadBalancerEnabled": "false",
            "loadManagerClassName": "org.apache.pulsar.broker.loadbalance.NoopLoadManager",
            "defaultNumberOfNamespaceBundles": "1",
            "numIOThreads": "4",
            "numHttpServerThreads": "8",
            "numOrderedExecutorThreads": "2",
            "bookkeeperNumberOfChannelsPerBookie": "2",
            **(self._security() if self._secured else {}),
            **self._properties,
        }

    def _security(self) -> dict[str, str]:
        from tests.servers.certificates import loopback_certificate

        certificate, key = loopback_certificate(self._directory)
        return {
            "brokerServicePortTls": str(self._tls_ports[0]),
            "webServicePortTls": str(self._tls_ports[1]),
            "tlsCertificateFilePath": str(certificate),
            "tlsKeyFilePath": str(key),
            "tlsTrustCertsFilePath": str(certificate),
            "authenticationEnabled": "true",
            "authenticationProviders": "org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
            "tokenSecretKey": f"data:;base64,{base64.b64encode(SECRET).decode()}",
            "authorizationEnabled": "true",
            "anonymousUserRole": "anonymous",
            "superUserRoles": "anonymous,admin",
        }


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def running(ports: str | None) -> Pulsar | None:
    """One that `scripts/pulsar` has started, by its ports: `6650:8080`."""
    if not ports:
        return None
    port, _, web_port = ports.partition(":")
    return Pulsar(Path(), int(port), int(web_port))


@contextmanager
def pulsar(directory: Path, **options: Any) -> Iterator[Pulsar]:
    """A started one."""
    server = Pulsar(directory, **options)
    try:
        server.start()
        yield server
    finally:
        server.stop()
