"""Every error LangStream raises on purpose.

LangStreamError
├── ApplicationRefused      the application's files are wrong; carries every problem, each with its place
├── RecordError             one record could not be processed; its neighbours are not to blame
├── ServiceError            an outside system (AI service, data store, HTTP server) failed or refused
├── TopicError              a topic or its broker
│   ├── TopicNotFound
│   ├── TopicMismatch       a topic exists with other settings than declared
│   ├── BrokerUnavailable   the log cannot be written or reached now (disk full, file locked, no connection)
│   ├── Fenced              another member of the consumer group owns the partition now
│   └── InvalidPosition     a reader was given a position that is not one
├── AgentFailed             an agent cannot go on; its node is restarted with back-off
└── GatewayError            a client's request is refused; carries the HTTP status

Each error says what happened, where, and what to do next; `retryable` and `retry_after_seconds` tell the runtime
whether another attempt can help.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LangStreamError(Exception):
    """Base of the family.

    `retryable` is None where nothing is known: the runtime then follows the agent's `retries`. False means that
    another attempt cannot succeed, True that the failure is transient. `retry_after_seconds` is what the other
    side asked for, or None.
    """

    retryable: bool | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text file. Line and column count from 1; 0 means unknown."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an application: what, where, and what to do about it."""

    message: str
    position: Position | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.position}: " if self.position else ""
        if not self.hint:
            return f"{where}{self.message}"
        stop = "" if self.message.endswith((".", "!", "?", ":")) else "."
        return f"{where}{self.message}{stop} {self.hint}"


class ApplicationRefused(LangStreamError):
    """The application cannot be used. `problems` has every reason found, in order of file and line."""

    retryable = False

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=_place))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _place(problem: Problem) -> tuple[str, int, int, str]:
    position = problem.position or Position("")
    return position.file, position.line, position.column, problem.message


class RecordError(LangStreamError):
    """This record cannot be processed as the agent asks (missing field, wrong type, bad text).

    A broker that refuses one record of many names it (`record`), so that the others can be written without it.
    """

    record: object = None


class ServiceError(LangStreamError):
    """An outside system failed.

    `category` is one of `transient`, `rate-limited`, `exhausted` (a quota that waiting does not fill), `refused`,
    `authentication`, `too-long`, `content-filtered`, `not-found`, `malformed` (the answer makes no sense) and
    `cancelled`.
    """

    def __init__(self, message: str, *, category: str = "transient", retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.category = category
        self.retryable = category in ("transient", "rate-limited", "malformed")
        self.retry_after_seconds = retry_after_seconds


class TopicError(LangStreamError):
    """A topic, or the broker that keeps it, cannot do what was asked."""


class TopicNotFound(TopicError):
    """The topic does not exist; `none` topics must be created by somebody else."""

    retryable = False


class TopicMismatch(TopicError):
    """The topic exists with settings other than those declared."""

    retryable = False


class BrokerUnavailable(TopicError):
    """The log cannot be reached or written at the moment. Nothing was acknowledged."""

    retryable = True


class Fenced(TopicError):
    """The consumer lost the partition to another member before it committed; the records will be redelivered."""

    retryable = False


class InvalidPosition(TopicError):
    """The text given as a reader position is neither `latest`, `earliest` nor an offset handed out before."""

    retryable = False


class AgentFailed(LangStreamError):
    """The agent cannot go on: a record failed for good under `on-failure: fail`, or the agent itself broke."""


class GatewayError(LangStreamError):
    """A request to the gateway is refused. `status` is the HTTP status, `reason` the text for the client."""

    retryable = False

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
