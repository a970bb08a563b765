"""Pages per second of `webcrawler-source` against a bare asynchronous client that fetches and parses the same sites.

    python benchmarks/crawler/pages.py [--sites 4] [--pages 400] [--kilobytes 20] [--rounds 3]

Both visit every page once, one request at a time per site and all sites at once, follow the links they find, and make
no pauses. The bare client forgets everything; the crawler obeys rules, prints the pages, and commits each one to disk.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Coroutine
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

WORDS = ("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "was", "on", "as", "are", "with", "his")


def page(number: int, pages: int, kilobytes: int) -> str:
    """A page with a navigation, paragraphs and links to other pages of its site."""
    chance = random.Random(number)
    links = [2 * number + 1, 2 * number + 2, *(chance.randrange(pages) for _ in range(38))]
    navigation = "".join(f'<li><a href="/{link}.html">page {link}</a></li>' for link in links if link < pages)
    size = 0
    paragraphs = []
    while size < kilobytes * 1024:
        paragraphs.append(f'<p class="text">{" ".join(chance.choices(WORDS, k=60))} <b>bold</b> <i>words</i></p>')
        size += len(paragraphs[-1])
    body = f"<nav><ul>{navigation}</ul></nav><main>{''.join(paragraphs)}</main>"
    return f"<!doctype html><html><head><title>{number}</title></head><body>{body}</body></html>"


def serve(sites: int, pages: int, kilobytes: int, pipe: Connection) -> None:
    """The sites, in a process of their own: raw answers, made in advance."""
    answers = {b"/robots.txt": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}
    for number in range(pages):
        body = page(number, pages, kilobytes).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
        answers[f"/{number}.html".encode()] = head.encode() + body

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                writer.write(answers[request.split(b" ", 2)[1]])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        servers = [await asyncio.start_server(answer, "127.0.0.1", 0) for _ in range(sites)]
        pipe.send([f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers])
        await asyncio.Event().wait()

    asyncio.run(main())


async def bare(urls: list[str]) -> int:
    """Fetch and parse, nothing else."""
    import aiohttp
    from selectolax.lexbor import LexborHTMLParser
    from yarl import URL

    async def visit(site: str, session: aiohttp.ClientSession) -> int:
        known, waiting, done = {f"{site}/0.html"}, [f"{site}/0.html"], 0
        for url in waiting:
            base = URL(url)
            async with session.get(url) as response:
                tree = LexborHTMLParser(await response.text())
            done += 1
            for node in tree.css("a[href]"):
                link = str(base.join(URL(node.attributes["href"] or "")))
                if link not in known:
                    known.add(link)
                    waiting.append(link)
        return done

    async with aiohttp.ClientSession() as session:
        return sum(await asyncio.gather(*(visit(site, session) for site in urls)))


async def crawler(urls: list[str], pages: int) -> int:
    """The source agent with its state on disk, each batch committed."""
    from langstream.agents.web.crawler.options import WebCrawlerConfiguration
    from langstream.agents.web.crawler.source import WebCrawlerSource
    from langstream.sdk.contract import AgentContext

    options = WebCrawlerConfiguration.model_validate(
        {
            "seed-urls": [f"{url}/0.html" for url in urls],
            "allowed-domains": urls,
            "max-urls": 0,
            "min-time-between-requests": 0,
            "concurrent-sites": len(urls),
        }
    )
    with tempfile.TemporaryDirectory() as directory:
        source = WebCrawlerSource(options)
        await source.start(AgentContext("pages", "benchmark", state_directory=Path(directory)))
        await source.resume(None)
        done = 0
        while done < pages * len(urls):
            records = await source.read(100)
            await source.commit(records)
            done += len(records)
        await source.close()
    return done


def measured(work: Coroutine[Any, Any, int]) -> tuple[int, float]:
    """(pages, seconds)."""
    import uvloop

    began = time.perf_counter()
    done = uvloop.run(work)
    return done, time.perf_counter() - began


def main() -> None:
    """Alternate the two and compare medians."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sites", type=int, default=4)
    arguments.add_argument("--pages", type=int, default=400)
    arguments.add_argument("--kilobytes", type=int, default=20)
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(chosen.sites, chosen.pages, chosen.kilobytes, theirs), daemon=True
    )
    server.start()
    urls: list[str] = ours.recv()
    rates: dict[str, list[float]] = {"bare client": [], "webcrawler-source": []}
    for _ in range(chosen.rounds):
        for name, work in (("bare client", bare(urls)), ("webcrawler-source", crawler(urls, chosen.pages))):
            done, seconds = measured(work)
            assert done == chosen.pages * chosen.sites, (name, done)
            rates[name].append(done / seconds)
    server.terminate()
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, rate in medians.items():
        print(f"{name:20} {rate:8.0f} pages/s")
    print(f"{'ratio':20} {medians['webcrawler-source'] / medians['bare client']:8.2f}")


if __name__ == "__main__":
    main()
