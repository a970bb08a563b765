"""Fetches what the servers of the tests are made of, one after the other: `python -m tests.servers`.

Tests fetch it themselves when they first need it; Maven's repository of downloads does not like two at a time, though.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.servers import cassandra, google_storage, kafka, opensearch, pulsar, solr

ATTEMPTS = 3
SERVERS: dict[str, Callable[[], Path]] = {
    "Kafka": kafka.artifacts,
    "Pulsar": pulsar.ARTIFACTS.fetched,
    "Cassandra": cassandra.ARTIFACTS.fetched,
    "OpenSearch": opensearch.ARTIFACTS.fetched,
    "Solr": solr.ARTIFACTS.fetched,
}
BUILT = "Google Cloud Storage"


def main() -> int:
    """The number of servers that could not be had."""
    with ThreadPoolExecutor(1) as pool:
        built = pool.submit(_fetched, BUILT, google_storage.fetched)
        missing = sum(not _fetched(name, fetch) for name, fetch in SERVERS.items())
    return missing + (not built.result())


def _fetched(name: str, fetch: Callable[[], Path]) -> bool:
    for attempt in range(ATTEMPTS):
        started = time.monotonic()
        try:
            fetch()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            print(f"{name}, attempt {attempt + 1}: {error}", file=sys.stderr)
        else:
            print(f"{name}: there, after {time.monotonic() - started:.0f} s", flush=True)
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
