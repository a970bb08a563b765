"""A web site of any number of pages, on loopback, that remembers who asked for what."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = (
    "agent", "pipeline", "topic", "record", "vector", "prompt", "answer", "model", "document", "chunk", "partition",
    "offset", "gateway", "header", "stream", "broker", "commit", "retry", "order", "state", "schema", "cluster",
)  # fmt: skip
WORDS_PER_PAGE = 60
CHILDREN = 12


class Site:
    """Pages that link each other as a tree: page `n` leads to `12n + 1` … `12n + 12`."""

    def __init__(self, pages: int) -> None:
        self.pages = pages
        self.versions: Counter[int] = Counter()
        self.sent: Counter[str] = Counter()
        """Full answers by path."""
        self.unchanged: Counter[str] = Counter()
        """Answers without a body by path: the asker has the page already."""
        self.url = ""
        self._open = threading.Event()
        self._open.set()
        self._most = pages
        self._counting = threading.Lock()

    def hold(self, most: int) -> None:
        """Send no more than so many pages in full; whoever asks for another one waits."""
        self._most = most
        self._open.clear()

    def go_on(self) -> None:
        """Nobody waits any more."""
        self._open.set()

    def send(self, path: str) -> None:
        """A page is about to be sent in full; may wait."""
        while True:
            with self._counting:
                if self._open.is_set() or sum(self.sent.values()) < self._most:
                    self.sent[path] += 1
                    return
            self._open.wait()

    def text(self, number: int) -> str:
        """What a page says, which depends on its version."""
        words = random.Random(f"{number}.{self.versions[number]}").choices(WORDS, k=WORDS_PER_PAGE)
        return f"Page {number} in version {self.versions[number]}: {' '.join(words)}."

    def page(self, path: str) -> str | None:
        """The markup behind a path, None where there is none."""
        name = path.removeprefix("/page/")
        number = 0 if path == "/" else int(name) if name.isdecimal() else -1
        if not 0 <= number < self.pages:
            return None
        first = CHILDREN * number + 1
        links = "".join(
            f'<li><a href="/page/{child}">{child}</a></li>' for child in range(first, min(first + CHILDREN, self.pages))
        )
        return (
            f"<html><head><title>{number}</title></head><body><main><p>{self.text(number)}</p></main>"
            f"<nav><ul>{links}</ul></nav></body></html>"
        )


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """The site on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # one packet per answer

        def do_GET(self) -> None:
            markup = site.page(self.path)
            if markup is None:
                self._answer(404, b"", {})
                return
            tag = f'"{sha256(markup.encode()).hexdigest()[:16]}"'
            if self.headers.get("If-None-Match") == tag:
                site.unchanged[self.path] += 1
                self._answer(304, b"", {"ETag": tag})
                return
            site.send(self.path)
            self._answer(200, markup.encode(), {"ETag": tag, "Content-Type": "text/html; charset=utf-8"})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Askers are killed in the middle."""

    server = Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        site.go_on()
        server.shutdown()
        thread.join()
        server.server_close()
