"""What Astra puts in front of Cassandra, on loopback: bundle, metadata service, TLS proxy, DevOps API.

The nodes behind it are a real Cassandra's. Everything runs in a thread of its own, beside tests that wait.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import ssl
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.servers.certificates import loopback_certificate

TOKEN = "AstraCS:token-of-tests"
DATABASE, DATABASE_ID = "shop", "0000-1111"


class Astra:
    """`bundle` opens the way to the Cassandra at `port`. `keyspace` is called to make or drop one (name, made)."""

    def __init__(self, directory: Path, port: int, keyspace: Callable[[str, bool], None] | None = None) -> None:
        self._certificate, self._key = loopback_certificate(directory)
        self._target = port
        self._keyspace = keyspace
        self.keyspaces = ["default_keyspace"]
        self.requests: list[str] = []
        self._servers: list[asyncio.Server] = []
        self._runners: list[web.AppRunner] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._proxy_port = self._metadata_port = self._api_port = 0

    @property
    def api(self) -> str:
        """The address of the DevOps API."""
        return f"http://127.0.0.1:{self._api_port}"

    def bundle(self) -> bytes:
        """The zip file."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("config.json", json.dumps({"host": "localhost", "port": self._metadata_port}))
            for name, path in (("ca.crt", self._certificate), ("cert", self._certificate), ("key", self._key)):
                archive.write(path, name)
        return content.getvalue()

    def encoded_bundle(self) -> str:
        """As configurations have it."""
        return base64.b64encode(self.bundle()).decode()

    def start(self) -> None:
        """Ready when this returns."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)

    def stop(self) -> None:
        """End everything."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _start(self) -> None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self._certificate))
        tls.load_cert_chain(self._certificate, self._key)
        tls.verify_mode = ssl.CERT_REQUIRED
        proxy = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls)
        self._servers.append(proxy)
        self._proxy_port = proxy.sockets[0].getsockname()[1]
        self._metadata_port = await self._serve({"/metadata": self._metadata}, tls)
        self._api_port = await self._serve({"/{path:.*}": self._devops}, None)

    async def _serve(self, routes: dict[str, Any], tls: ssl.SSLContext | None) -> int:
        application = web.Application()
        for path, handler in routes.items():
            application.router.add_route("*", path, handler)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def _stop(self) -> None:
        for server in self._servers:
            server.close()
        for runner in self._runners:
            await runner.cleanup()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _metadata(self, _: web.Request) -> web.Response:
        contact = {
            "type": "sni_proxy",
            "local_dc": "datacenter1",
            "sni_proxy_address": f"127.0.0.1:{self._proxy_port}",
            "contact_points": ["11111111-1111-1111-1111-111111111111"],
        }
        return web.json_response({"version": 1, "region": "local", "contact_info": contact})

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            await asyncio.gather(_pump(reader, here), _pump(there, writer))
        finally:
            here.transport.abort()
            writer.transport.abort()

    async def _devops(self, request: web.Request) -> web.Response:
        if request.path == "/bundle.zip":
            assert "Authorization" not in request.headers, "the token is not for the place of the bundle"
            return web.Response(body=self.bundle())
        self.requests.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"errors": [{"message": "JWT not valid"}]}, status=401)
        path = request.path.removeprefix("/v2/databases").strip("/").split("/")
        if path == [""]:
            return web.json_response([{"id": DATABASE_ID, "info": {"name": DATABASE}}])
        if path[0] != DATABASE_ID:
            return web.json_response({"errors": [{"message": "no such database"}]}, status=404)
        if path[1:] == ["secureBundleURL"]:
            return web.json_response({"downloadURL": f"{self.api}/bundle.zip"})
        if len(path) == 1:
            return web.json_response({"id": DATABASE_ID, "info": {"name": DATABASE, "keyspaces": self.keyspaces}})
        return await self._changed(request.method, path[2])

    async def _changed(self, method: str, keyspace: str) -> web.Response:
        made = method == "POST"
        if made and keyspace in self.keyspaces:
            return web.json_response({"errors": [{"message": "it exists"}]}, status=409)
        if self._keyspace is not None:
            await asyncio.to_thread(self._keyspace, keyspace, made)
        self.keyspaces = [name for name in self.keyspaces if name != keyspace] + ([keyspace] if made else [])
        return web.Response(status=201 if made else 202)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()


@contextmanager
def astra(directory: Path, port: int, keyspace: Callable[[str, bool], None] | None = None) -> Iterator[Astra]:
    """A started front."""
    server = Astra(directory, port, keyspace)
    server.start()
    try:
        yield server
    finally:
        server.stop()
