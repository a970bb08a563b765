"""A Pulsar of its own, on loopback: standalone from the published artifacts, with the Java and Maven of the machine.

The artifacts are resolved once, into a folder of the user's cache. Standard library only: `scripts/pulsar` uses this
without the project's environment.
"""

from __future__ import annotations

import base64
import fcntl
import hmac
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.servers.kafka import _end_with_parent, free_ports

VERSION = "4.0.7"
JAVA = 17
CENTRAL = "https://repo.maven.apache.org/maven2"
PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
# Some of the dependencies name repositories of their own, which may be out of reach; everything is on Maven Central.
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>langstream</groupId><artifactId>pulsar-for-tests</artifactId><version>1</version>
  <repositories>
    <repository><id>confluent</id><url>{CENTRAL}</url></repository>
    <repository><id>maven.restlet.org</id><url>{CENTRAL}</url></repository>
  </repositories>
  <dependencies>
    <dependency>
      <groupId>org.apache.pulsar</groupId><artifactId>pulsar-broker</artifactId><version>{VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""
MEMORY = (
    "-Xmx512m", "-Xms128m", "-XX:MaxDirectMemorySize=384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
    "-Xshare:auto", "-Dio.netty.leakDetectionLevel=disabled", "-Dpulsar.allocator.exit_on_oom=false",
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
START_SECONDS = 150
SECRET = b"a secret of thirty-two bytes, ok"
NAMESPACE = "tests/topics"
"""Where tests make their topics."""


def missing() -> str | None:
    """Why no Pulsar can be started here, or None."""
    java = shutil.which("java")
    if java is None:
        return "Java is not installed"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < JAVA:
        return f"Pulsar {VERSION} needs Java {JAVA}; this is {told.splitlines()[0] if told else 'unknown'}"
    if not artifacts_folder().is_dir() and shutil.which("mvn") is None:
        return "Maven is not installed, which fetches Pulsar the first time"
    return None


def artifacts_folder() -> Path:
    """Where the jars are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "langstream-tests" / f"pulsar-{VERSION}"


def artifacts() -> Path:
    """The folder with the jars, fetched if this is the first time."""
    folder = artifacts_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "pulsar.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        (Path(work) / "pom.xml").write_text(POM)
        command = ["mvn", "-q", "-B", PLUGIN, "-DincludeScope=runtime", f"-DoutputDirectory={work}/jars"]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Maven could not fetch Pulsar {VERSION}:\n{done.stdout}{done.stderr}")
        (Path(work) / "jars").rename(folder)


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
        self._process: subprocess.Popen[bytes] | None = None

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
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start, without waiting."""
        jars = artifacts()
        self._directory.mkdir(parents=True, exist_ok=True)
        settings = "".join(f"{name}={value}\n" for name, value in self._settings().items())
        (self._directory / "standalone.conf").write_text(settings)
        (self._directory / "log4j2.xml").write_text(LOGGING)
        command = [
            "java", *MEMORY, *(f"--add-opens={module}=ALL-UNNAMED" for module in OPENED),
            f"-Dlog4j.configurationFile={self._directory}/log4j2.xml", "-cp", f"{jars}/*",
            "org.apache.pulsar.PulsarStandaloneStarter", "--config", "standalone.conf", "--no-stream-storage",
            "--no-functions-worker", "--bookkeeper-port", str(self._bookie_port), "--metadata-dir", "data/metadata",
            "--bookkeeper-dir", "data/bookkeeper",
        ]  # fmt: skip
        with (self._directory / "pulsar.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._directory,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    def wait(self) -> None:
        """Until it answers, and the default namespace is there."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"Pulsar stopped:\n{self.log()[-4000:]}")
            with suppress(OSError):
                if "public/default" in (self.ask("GET", "namespaces/public") or ()):
                    return
            time.sleep(0.1)
        raise RuntimeError(f"Pulsar did not start in {START_SECONDS} s:\n{self.log()[-4000:]}")

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

    def kill(self) -> None:
        """SIGKILL."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    stop = kill  # the data is not needed any more

    def log(self) -> str:
        """What it wrote."""
        return (self._directory / "pulsar.log").read_text(errors="replace")

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
            "nettyMaxFrameSizeBytes": str(5 * 1024 * 1024 + 10 * 1024),  # of the bookie: an entry, and what is around it
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
