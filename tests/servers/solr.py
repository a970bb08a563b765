"""A Solr of its own: one node on loopback with its ZooKeeper inside, asking for a login (`USER`, `PASSWORD`)."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.java import Artifacts, JavaServer
from tests.servers.ports import free_ports

USER, PASSWORD = "writer", "Solr; rocks 'n' rolls"
VERSION = "9.10.1"
JETTY = "10.0.26"
ARTIFACTS = Artifacts(
    "solr",
    VERSION,
    (
        f"org.apache.solr:solr-core:{VERSION}",
        f"org.eclipse.jetty:jetty-servlet:{JETTY}",
        f"org.eclipse.jetty:jetty-xml:{JETTY}",
        f"org.eclipse.jetty:jetty-rewrite:{JETTY}",
    ),
    pinned=(f"org.eclipse.jetty:jetty-server:{JETTY}",),
)
MEMORY = ("-Xmx512m", "-Xms128m")
SERVER = """<?xml version="1.0"?>
<Configure id="Server" class="org.eclipse.jetty.server.Server">
  <Call name="addConnector"><Arg>
    <New class="org.eclipse.jetty.server.ServerConnector">
      <Arg name="server"><Ref refid="Server"/></Arg>
      <Set name="host">127.0.0.1</Set>
      <Set name="port"><SystemProperty name="jetty.port"/></Set>
    </New>
  </Arg></Call>
  <New id="Solr" class="org.eclipse.jetty.servlet.ServletContextHandler">
    <Arg type="int">1</Arg>
    <Set name="contextPath">/solr</Set>
    <Set name="resourceBase"><SystemProperty name="solr.solr.home"/></Set>
    <Call name="addEventListener"><Arg><New class="org.apache.solr.servlet.CoreContainerProvider"/></Arg></Call>
    <Call name="addFilter">
      <Arg>org.apache.solr.servlet.SolrDispatchFilter</Arg>
      <Arg>/*</Arg>
      <Arg><Call class="java.util.EnumSet" name="allOf"><Arg>
        <Call class="java.lang.Class" name="forName"><Arg>javax.servlet.DispatcherType</Arg></Call>
      </Arg></Call></Arg>
    </Call>
    <Call name="addServlet"><Arg>org.eclipse.jetty.servlet.DefaultServlet</Arg><Arg>/</Arg></Call>
  </New>
  <Set name="handler">
    <New class="org.eclipse.jetty.rewrite.handler.RewriteHandler">
      <Set name="handler"><Ref refid="Solr"/></Set>
      <Call name="addRule"><Arg>
        <New class="org.eclipse.jetty.rewrite.handler.RewriteRegexRule">
          <Set name="regex">^/api/(.*)$</Set><Set name="replacement">/solr/____v2/$1</Set>
        </New>
      </Arg></Call>
    </New>
  </Set>
</Configure>
"""
NODE = """<solr><solrcloud>
  <str name="host">127.0.0.1</str><str name="hostContext">solr</str><int name="hostPort">${jetty.port}</int>
  <int name="zkClientTimeout">30000</int>
</solrcloud></solr>
"""
CONFIGURATION = """<config>
  <luceneMatchVersion>9.12</luceneMatchVersion>
  <directoryFactory name="DirectoryFactory" class="solr.NRTCachingDirectoryFactory"/>
  <schemaFactory class="ManagedIndexSchemaFactory"/>
  <updateHandler class="solr.DirectUpdateHandler2">
    <updateLog/><autoCommit><maxTime>15000</maxTime><openSearcher>false</openSearcher></autoCommit>
  </updateHandler>
  <requestHandler name="/select" class="solr.SearchHandler"/>
</config>
"""
SCHEMA = """<schema name="tests" version="1.7">
  <uniqueKey>id</uniqueKey>
  <fieldType name="string" class="solr.StrField" sortMissingLast="true" docValues="true"/>
  <fieldType name="pint" class="solr.IntPointField" docValues="true"/>
  <fieldType name="plong" class="solr.LongPointField" docValues="true"/>
  <fieldType name="text_general" class="solr.TextField">
    <analyzer><tokenizer name="standard"/><filter name="lowercase"/></analyzer>
  </fieldType>
  <field name="id" type="string" indexed="true" stored="true" required="true" multiValued="false"/>
  <field name="_version_" type="plong" indexed="false" stored="false"/>
</schema>
"""


def security() -> str:
    """The file that makes the server ask for the login."""
    salt = b"sixteen bytes of"
    digest = hashlib.sha256(hashlib.sha256(salt + PASSWORD.encode()).digest()).digest()
    known = f"{base64.b64encode(digest).decode()} {base64.b64encode(salt).decode()}"
    login = {"class": "solr.BasicAuthPlugin", "blockUnknown": True, "credentials": {USER: known}}
    return json.dumps({"authentication": login})


class Solr(JavaServer):
    """The node, at `port`."""

    def __init__(self, directory: Path) -> None:
        super().__init__("Solr", directory)
        self.port = _port()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Ready when this returns."""
        home = self.directory
        configuration = home / "configset"
        configuration.mkdir(parents=True)
        files = {
            "server.xml": SERVER,
            "solr.xml": NODE,
            "zoo.cfg": "tickTime=2000\ninitLimit=10\nsyncLimit=5\nadmin.enableServer=false\n",
            "configset/solrconfig.xml": CONFIGURATION,
            "configset/managed-schema.xml": SCHEMA,
        }
        for name, text in files.items():
            (home / name).write_text(text)
        arguments = [
            *MEMORY, f"-Djetty.port={self.port}", "-Dorg.eclipse.jetty.xml.XmlParser.Validating=false",
            "-DzkRun", "-Dsolr.http1=true", f"-Dsolr.solr.home={home}", f"-Dsolr.log.dir={home}/logs",
            f"-Dsolr.default.confdir={configuration}", "-Dlog4j2.level=WARN", "-Dzookeeper.admin.enableServer=false",
            "-cp", f"{ARTIFACTS.fetched()}/*", "org.eclipse.jetty.xml.XmlConfiguration", "server.xml",
        ]  # fmt: skip
        self.run(arguments, lambda: self._status() == 200)
        set_node(self.port + 1000, "/security.json", security().encode())
        deadline = time.monotonic() + 60
        while self._status() != 401:  # the server looks at the file by itself
            assert time.monotonic() < deadline, f"Solr does not ask for a login:\n{self.log()[-6000:]}"
            time.sleep(0.05)

    def _status(self) -> int:
        """Of a request without a login; 0 where there is no answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/solr/admin/collections?action=LIST", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0


def set_node(port: int, path: str, data: bytes) -> None:
    """Put data into a node of a ZooKeeper: its greeting, then one request (`setData`)."""
    greeting = struct.pack(">iqiqi16s?", 0, 0, 10_000, 0, 16, bytes(16), False)
    name = path.encode()
    change = struct.pack(f">iii{len(name)}si{len(data)}si", 1, 5, len(name), name, len(data), data, -1)
    with socket.create_connection(("127.0.0.1", port), 10) as connection, connection.makefile("rb") as answers:
        for request in (greeting, change):
            connection.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", answers.read(4))
            answer = answers.read(size)
        (failure,) = struct.unpack(">i", answer[12:16])
        assert failure == 0, f"ZooKeeper refused {path}: {failure}"


def _port() -> int:
    """A free port with another free one 1,000 above it, where Solr puts its ZooKeeper."""
    while True:
        (port,) = free_ports(1)
        with socket.socket() as probe:
            if port + 1000 < 65536 and probe.connect_ex(("127.0.0.1", port + 1000)) != 0:
                return port


@contextmanager
def solr(directory: Path) -> Iterator[Solr]:
    """A started node."""
    server = Solr(directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()
