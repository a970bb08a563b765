"""A Cassandra of its own: one node on loopback, with a login (`USER`, `PASSWORD`)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.java import Artifacts, JavaServer
from tests.servers.ports import free_ports

USER, PASSWORD = "cassandra", "cassandra"
"""Those of the node's first start."""
DATA_CENTRE = "datacenter1"
VERSION = "5.0.9"
ARTIFACTS = Artifacts("cassandra", VERSION, (f"org.apache.cassandra:cassandra-all:{VERSION}",))
MEMORY = ("-Xmx512m", "-Xms256m", "-Xss512k")
SETTINGS = (
    "-Dcassandra-foreground=yes",
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=0",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Dcassandra.jmx.local.port=0",
    "-Djdk.attach.allowAttachSelf=true",
)
EXPORTED = (
    "java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp", "java.sql/java.sql", "jdk.unsupported/sun.misc",
)  # fmt: skip
OPENED = (
    "java.base/java.lang.module", "java.base/jdk.internal.loader", "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect", "java.base/jdk.internal.math", "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar", "jdk.management/com.sun.management.internal", "java.base/sun.nio.ch",
    "java.base/java.io", "java.base/java.nio", "java.base/java.util", "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic", "java.base/java.lang", "java.base/java.net", "java.base/java.math",
)  # fmt: skip
LOGGING = """<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date %-5level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
"""


class Cassandra(JavaServer):
    """The node, at `port`."""

    def __init__(self, directory: Path) -> None:
        super().__init__("Cassandra", directory)
        self.port, self._storage_port = free_ports(2)

    def start(self) -> None:
        """Ready when this returns: it listens, and the first user is there."""
        (self.directory / "logback.xml").write_text(LOGGING)
        settings = self.directory / "cassandra.yaml"
        settings.write_text(json.dumps(self._settings()))
        arguments = [
            *MEMORY, *SETTINGS,
            f"-Dcassandra.config={settings.as_uri()}", f"-Dcassandra.storagedir={self.directory}",
            f"-Dlogback.configurationFile={self.directory}/logback.xml",
            *(f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTED),
            *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENED),
            "-cp", f"{ARTIFACTS.fetched()}/*", "org.apache.cassandra.service.CassandraDaemon",
        ]  # fmt: skip
        self.run(arguments, self._is_ready)

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            listens = probe.connect_ex(("127.0.0.1", self.port)) == 0
        return listens and "Created default superuser role" in self.log()

    def _settings(self) -> dict[str, object]:
        """As YAML, which JSON is too."""
        seeds = [{"seeds": f"127.0.0.1:{self._storage_port}"}]
        return {
            "cluster_name": "tests",
            "num_tokens": 1,
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "endpoint_snitch": "SimpleSnitch",
            "seed_provider": [{"class_name": "org.apache.cassandra.locator.SimpleSeedProvider", "parameters": seeds}],
            "listen_address": "127.0.0.1",
            "storage_port": self._storage_port,
            "rpc_address": "127.0.0.1",
            "native_transport_port": self.port,
            "authenticator": "PasswordAuthenticator",
            "data_file_directories": [str(self.directory / "data")],
            **{
                f"{name}_directory": str(self.directory / name)
                for name in ("commitlog", "saved_caches", "hints", "cdc_raw")
            },
            "commitlog_sync": "periodic",
            "commitlog_sync_period": "10s",
            "commitlog_segment_size": "4MiB",
            "auto_snapshot": False,
            "concurrent_reads": 8,
            "concurrent_writes": 8,
            "memtable_heap_space": "64MiB",
            "memtable_offheap_space": "32MiB",
            "file_cache_size": "32MiB",
            "networking_cache_size": "16MiB",
            "key_cache_size": "4MiB",
            "user_defined_functions_enabled": False,
        }


@contextmanager
def cassandra(directory: Path) -> Iterator[Cassandra]:
    """A started node."""
    server = Cassandra(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
