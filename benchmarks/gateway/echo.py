"""What a service gateway costs: an echo through two topics, against a bare ASGI echo on the same server.

    python benchmarks/gateway/echo.py [--calls 3000] [--clients 32]

Both answer `POST` requests of the same client in the same process. The bare echo is the bound: what the HTTP server
itself takes. The pipeline behind the gateway is a loop that copies records from one in-memory topic to the other.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from typing import Any

import aiohttp
import uvloop
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from langstream.application.model import Application, Gateway, GatewayType, Module, ServiceOptions
from langstream.gateway.server import Target, create_gateway, serve
from langstream.gateway.settings import GatewaySettings
from langstream.topics.contract import TopicCluster, TopicSpec
from langstream.topics.memory import open_cluster

SERVICE = Gateway("svc", GatewayType.SERVICE, service=ServiceOptions(None, "in", "out"))


class Directory:
    def __init__(self, target: Target) -> None:
        self._target = target

    def find(self, tenant: str, application_id: str) -> Target | None:
        return self._target


async def copy(cluster: TopicCluster) -> None:
    reader, producer = cluster.reader("in", "latest"), cluster.producer()
    await reader.start()
    await producer.start()
    while True:
        for run in await reader.read(1000, 5):
            await producer.send("out", run.records)


async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


async def measure(url: str, calls: int, clients: int) -> tuple[float, float, float]:
    """Calls per second, and the median and 99th percentile of their milliseconds."""
    times: list[float] = []

    async def client(session: aiohttp.ClientSession) -> None:
        for _ in range(calls // clients):
            started = time.perf_counter()
            async with session.post(url, json={"value": "hello"}) as answer:
                assert answer.status == 200
                await answer.read()
            times.append((time.perf_counter() - started) * 1000)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        started = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        seconds = time.perf_counter() - started
    times.sort()
    return len(times) / seconds, statistics.median(times), times[int(len(times) * 0.99)]


async def main(options: Any) -> None:
    cluster = open_cluster({}, None)
    await cluster.start()
    for topic in ("in", "out"):
        await cluster.admin.create(TopicSpec(topic))
    application = Application({"default": Module("default", {}, {}, ())}, {}, (SERVICE,))
    target = Target("default", "app", application, frozenset({"in", "out"}), cluster, lambda agent: None)
    gateway = create_gateway(Directory(target), GatewaySettings(), registry=CollectorRegistry(), healthy=lambda: True)
    bare = Starlette(routes=[Route("/echo", echo, methods=["POST"])])
    servers = [await serve(gateway, port=0), await serve(bare, port=0)]
    copying = asyncio.create_task(copy(cluster))
    urls = {
        "bare echo": f"http://127.0.0.1:{servers[1].port}/echo",
        "service gateway": f"http://127.0.0.1:{servers[0].port}/api/gateways/service/default/app/svc",
    }
    print(f"{options.calls} calls, client and server in one process")
    for clients in (1, options.clients):
        results = {}
        for name, url in urls.items():
            await measure(url, clients * 20, clients)
            results[name] = await measure(url, options.calls, clients)
            rate, median, tail = results[name]
            print(f"{clients:4} clients  {name:16} {rate:8.0f} calls/s  median {median:6.2f} ms  p99 {tail:6.2f} ms")
        ratio = results["bare echo"][0] / results["service gateway"][0]
        print(f"{clients:4} clients  one call through the gateway costs {ratio:.1f} bare calls")
    copying.cancel()
    for server in servers:
        await server.stop()
    await cluster.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=3000)
    parser.add_argument("--clients", type=int, default=32)
    uvloop.run(main(parser.parse_args()))
