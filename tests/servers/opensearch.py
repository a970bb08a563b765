"""An OpenSearch of its own: one node on loopback without a login, with scripts and vector search (k-NN on Lucene)."""

from __future__ import annotations

import json
import shutil
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.java import Artifacts, JavaServer
from tests.servers.ports import free_ports

VERSION = "2.19.1"  # the latest whose vector search is published as well
KNN = f"{VERSION}.0"
ARTIFACTS = Artifacts(
    "opensearch",
    VERSION,
    (
        f"org.opensearch:opensearch:{VERSION}",
        f"org.opensearch:opensearch-plugin-classloader:{VERSION}",
        f"org.opensearch.plugin:transport-netty4-client:{VERSION}",
        f"org.opensearch.plugin:lang-painless:{VERSION}",
        f"org.opensearch.plugin:reindex-client:{VERSION}",
        "org.apache.logging.log4j:log4j-core:2.21.0",
    ),
    archives=(f"org.opensearch.plugin:opensearch-knn:{KNN}",),
)
MEMORY = ("-Xmx512m", "-Xms256m")
NETWORK = """grant codeBase "${codebase.netty-common}" {
  permission java.io.FilePermission "/proc/sys/net/core/somaxconn", "read";
  permission java.net.SocketPermission "*", "accept,connect";
};
grant codeBase "${codebase.netty-transport}" {
  permission java.util.PropertyPermission "sun.nio.ch.bugLevel", "write";
};
"""
SCRIPTS = """grant {
  permission java.lang.RuntimePermission "createClassLoader";
  permission java.lang.RuntimePermission "getClassLoader";
};
"""
MODULES = {
    "transport-netty4": ("org.opensearch.transport.Netty4Plugin", ("transport-netty4", "netty-"), NETWORK),
    "lang-painless": (
        "org.opensearch.painless.PainlessPlugin",
        ("lang-painless", "antlr4", "asm-", "opensearch-scripting-painless-spi"),
        SCRIPTS,
    ),
    "reindex": (
        "org.opensearch.index.reindex.ReindexPlugin",
        ("reindex-client", "opensearch-ssl-config", "opensearch-rest-client", "http", "commons-"),
        "",
    ),
}
"""Parts of the server in folders of their own: class, beginnings of file names, permissions."""
LOGGING = """status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
"""


class OpenSearch(JavaServer):
    """The node, at `port`."""

    def __init__(self, directory: Path) -> None:
        super().__init__("OpenSearch", directory)
        self.port, self._transport_port = free_ports(2)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Ready when this returns."""
        home = self.directory
        lay_out(ARTIFACTS.fetched(), home)
        config = home / "config"
        config.mkdir()
        (config / "opensearch.yml").write_text(json.dumps(self._settings()))
        (config / "log4j2.properties").write_text(LOGGING)
        (home / "tmp").mkdir()
        arguments = [
            *MEMORY, "-Djava.security.manager=allow", "-Dlog4j2.disable.jmx=true",
            # Without native access the server does not mind running as root, as in a container.
            "-Djna.nosys=true", "-Djna.nounpack=true",
            "-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true",
            f"-Djava.io.tmpdir={home}/tmp", f"-Dopensearch.path.home={home}", f"-Dopensearch.path.conf={config}",
            "-cp", f"{home}/lib/*", "org.opensearch.bootstrap.OpenSearch",
        ]  # fmt: skip
        self.run(arguments, self._is_ready)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_cluster/health", timeout=5) as answer:
                return bool(json.load(answer)["status"] in ("green", "yellow"))
        except (OSError, ValueError):
            return False

    def _settings(self) -> dict[str, object]:
        return {
            "cluster.name": "tests",
            "node.name": "one",
            "discovery.type": "single-node",
            "http.host": "127.0.0.1",
            "http.port": self.port,
            "transport.host": "127.0.0.1",
            "transport.port": self._transport_port,
            "cluster.routing.allocation.disk.threshold_enabled": False,
            "bootstrap.system_call_filter": False,
        }


def lay_out(files: Path, home: Path) -> None:
    """The folders of a distribution: the server, its modules, the plugin."""
    (home / "lib").mkdir(parents=True)
    for jar in sorted(files.glob("*.jar")):
        folder = home / "lib"
        for module, (_, beginnings, _) in MODULES.items():
            if jar.name.startswith(beginnings):
                folder = home / "modules" / module
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(jar, folder)
    for module, (plugin, _, policy) in MODULES.items():
        (home / "modules" / module / "plugin-descriptor.properties").write_text(
            f"description={module}\nversion={VERSION}\nname={module}\nclassname={plugin}\njava.version=11\n"
            f"opensearch.version={VERSION}\nextended.plugins=\nhas.native.controller=false\ncustom.foldername=\n"
        )
        if policy:
            (home / "modules" / module / "plugin-security.policy").write_text(policy)
    with zipfile.ZipFile(files / f"opensearch-knn-{KNN}.zip") as archive:
        archive.extractall(home / "plugins" / "opensearch-knn")


@contextmanager
def opensearch(directory: Path) -> Iterator[OpenSearch]:
    """A started node."""
    server = OpenSearch(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
