"""What the driver's errors mean: may the statement be tried again, is it wrong, or is the login."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from langstream.errors import ServiceError


@contextmanager
def failures(where: str) -> Iterator[None]:
    """Errors inside become ServiceErrors that name the cluster."""
    try:
        yield
    except ServiceError:
        raise
    except Exception as error:
        raise failure(where, error) from None


def failure(where: str, error: BaseException) -> ServiceError:
    """The ServiceError for an error of the driver."""
    import cassandra
    from cassandra.cluster import NoHostAvailable
    from cassandra.connection import ConnectionException
    from cassandra.protocol import ErrorMessage

    if isinstance(error, ServiceError):
        return error
    if isinstance(error, NoHostAvailable):
        return _no_host(where, error)
    if isinstance(error, cassandra.AuthenticationFailed | cassandra.Unauthorized):
        return ServiceError(f"{where} refused the login: {_words(error)}", category="authentication")
    if isinstance(error, cassandra.CoordinationFailure | cassandra.Timeout | cassandra.Unavailable):
        return ServiceError(f"{where} could not do it now: {_words(error)}")
    if type(error) is cassandra.DriverException and "metadata service" in str(error):
        return ServiceError(f"{where} cannot be reached: {_words(error)}")
    if isinstance(error, cassandra.OperationTimedOut | ConnectionException | OSError | TimeoutError):
        return ServiceError(f"{where} cannot be used now: {_words(error)}")
    if isinstance(error, ErrorMessage) and error.code in _BUSY:
        return ServiceError(f"{where} is busy: {_words(error)}")
    return ServiceError(f"{where} refused the statement: {_words(error)}", category="refused")


_BUSY = (0x0000, 0x1001, 0x1002, 0x1003)
"""Codes of the protocol: a failure of the server, overloaded, bootstrapping, truncation failed."""


def _no_host(where: str, error: BaseException) -> ServiceError:
    import cassandra

    reasons = getattr(error, "errors", None) or {}
    found = list(reasons.values()) if isinstance(reasons, dict) else []
    if found and all(isinstance(reason, cassandra.AuthenticationFailed) for reason in found):
        return ServiceError(f"{where} refused the login: {_words(found[0])}", category="authentication")
    if not found:
        return ServiceError(
            f"{where} has no node that can be asked now: they are down, or not in the data centre that is configured"
        )
    told = "; ".join(sorted({_words(reason) for reason in found}))
    return ServiceError(f"{where} cannot be reached: {told}")


def _words(error: BaseException) -> str:
    message = getattr(error, "message", None) if not isinstance(error, OSError) else None
    text = str(message or error) or type(error).__name__
    return " ".join(text.split())
