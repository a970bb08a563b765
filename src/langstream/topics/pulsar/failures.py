"""What the Pulsar client reports, as the errors of the streaming contract."""

from __future__ import annotations

from typing import Any, Final

from langstream.errors import BrokerUnavailable, Fenced, TopicError, TopicNotFound

_AWAY: Final = frozenset({
    "Timeout", "LookupError", "ConnectError", "ReadError", "NotConnected", "BrokerMetadataError", "ServiceUnitNotReady",
    "BrokerPersistenceError", "TooManyLookupRequestException", "ProducerBlockedQuotaExceededError",
    "ProducerBlockedQuotaExceededException", "ProducerQueueIsFull", "MemoryBufferIsFull", "ChecksumError", "Retryable",
    "Interrupted", "Disconnected",
})  # fmt: skip
_LOGIN: Final = frozenset({"AuthenticationError", "ErrorGettingAuthenticationData"})
GONE: Final = frozenset({
    "TopicNotFound", "TopicTerminated", "AlreadyClosed", "ProducerNotInitialized", "ConsumerNotInitialized",
    "NotAllowedError", "ProducerFenced",
})  # fmt: skip
"""What a client says whose topic was deleted, or changed its kind."""


def name_of(result: Any) -> str:
    """The name of the client's result or exception."""
    if isinstance(result, BaseException):
        return type(result).__name__
    return str(getattr(result, "name", result))


def topic_error(result: Any, doing: str) -> TopicError:
    """The error for people: `doing` says what was tried, such as `writing to topic orders`."""
    name = name_of(result)
    if name in ("TopicNotFound", "TopicTerminated"):
        return TopicNotFound(f"{doing}: the topic does not exist, or exists no longer")
    if name in ("ConsumerBusy", "ProducerFenced"):
        return Fenced(f"{doing}: another member of the group, or another process, has taken over")
    if name in _LOGIN:
        return TopicError(f"{doing}: the Pulsar cluster does not let LangStream in ({name}). Check the credentials")
    if name == "AuthorizationError":
        return TopicError(f"{doing}: the credentials have no permission for it")
    if name == "MessageTooBig":
        return TopicError(f"{doing}: a record is larger than Pulsar takes")
    if name in ("InvalidConfiguration", "InvalidUrl", "InvalidTopicName", "IncompatibleSchema"):
        return TopicError(f"{doing}: the Pulsar client refuses it ({name})")
    if name in _AWAY or name == "AlreadyClosed":
        return BrokerUnavailable(f"{doing}: the Pulsar cluster cannot do it at the moment ({name})")
    return TopicError(f"{doing}: Pulsar reports {name}")
