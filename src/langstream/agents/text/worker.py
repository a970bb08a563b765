"""The process that reads documents and splits texts for a node: one request after the other, by its standard streams.

    python -m langstream.agents.text.worker extract LIMIT_BYTES LIMIT_SECONDS {} PARENT_ID

A request is its length (8 bytes) and its bytes; an answer one byte that tells what it is, its length and its bytes.
The process ends with its parent, has a limit for its memory, and leaves after an answer that cost it much of it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any, BinaryIO, Final

DONE: Final = b"D"
DONE_AND_GONE: Final = b"G"
"""The answer, after which the process ends."""
FAILED: Final = b"F"
"""The reason why there is no answer, for people."""
HEADER: Final = struct.Struct(">Q")

_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG of Linux

Work = Callable[[bytes], bytes]


def main(arguments: list[str]) -> None:
    """Serve until standard input ends."""
    name, limit_bytes, limit_seconds, options, parent = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets this process go
    if not _end_with_parent(int(parent)):
        return
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get among the answers
    work = _WORKS[name](json.loads(options), float(limit_seconds))
    base = _limit_memory(int(limit_bytes))
    serve(sys.stdin.buffer, answers, work, lambda: _size() - base > int(limit_bytes) // 2)


def serve(requests: BinaryIO, answers: BinaryIO, work: Work, tired: Callable[[], bool] = lambda: False) -> None:
    """Answer every request. Ends with the requests, or when `tired` after an answer."""
    while header := requests.read(HEADER.size):
        size = HEADER.unpack(header)[0]
        content = requests.read(size)
        if len(content) < size:  # whoever sent it is gone, and half a document may keep the parser for minutes
            return
        kind, answer = _answer(work, content)
        del content
        leaving = tired()
        if leaving and kind == DONE:
            kind = DONE_AND_GONE
        answers.write(kind + HEADER.pack(len(answer)))
        answers.write(answer)
        answers.flush()
        if leaving:
            return


def _answer(work: Work, content: bytes) -> tuple[bytes, bytes]:
    from langstream.errors import RecordError

    try:
        return DONE, work(content)
    except RecordError as error:
        return FAILED, str(error).encode("utf-8", "replace")
    except MemoryError:
        return FAILED, b"the text or document needs more memory than it may have"
    except RecursionError:
        return FAILED, b"the text or document is nested too deeply"
    except Exception as error:  # libraries meet hostile documents here
        return FAILED, f"the text or document cannot be read: {type(error).__name__}: {error}".encode(
            "utf-8", "replace"
        )[:2000]


def _extraction(options: Mapping[str, Any], seconds: float) -> Work:
    import kreuzberg  # noqa: F401 - loaded before memory is limited
    import pypdfium2  # noqa: F401
    import selectolax.lexbor  # noqa: F401

    from langstream.agents.text.extraction import Extractor

    return lambda content: Extractor(monotonic() + seconds).text_of(content).encode("utf-8", "replace")


def _splitting(options: Mapping[str, Any], seconds: float) -> Work:
    from langstream.agents.text.splitting import packed, splitter_of

    splitter = splitter_of(**options)
    return lambda content: packed(splitter.split(content.decode("utf-8", "surrogatepass")))


def _normalising(options: Mapping[str, Any], seconds: float) -> Work:
    from langstream.agents.text.normalising import normalised

    return lambda content: normalised(content.decode("utf-8", "surrogatepass"), **options).encode(
        "utf-8", "surrogatepass"
    )


_WORKS: Final = {"extract": _extraction, "split": _splitting, "normalise": _normalising}


def _end_with_parent(parent: int) -> bool:
    """False if the parent had ended before this process could ask to end with it."""
    if sys.platform != "linux":  # there, the end of standard input must do
        return True
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    return os.getppid() == parent


def _limit_memory(limit: int) -> int:
    """Let the process grow by so many bytes and no further; the size it has now."""
    size = _size()
    try:
        import resource
    except ImportError:  # not on Windows
        return size
    if size:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = size + limit
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    return size


def _size() -> int:
    """Bytes of address space, where the system tells; else 0."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123
            pages = int(file.read().split()[0])
    except (OSError, ValueError):
        return 0
    import resource

    return pages * resource.getpagesize()


if __name__ == "__main__":
    main(sys.argv[1:])
