"""What the Kafka client reports, as the errors of the streaming contract."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from langstream.errors import BrokerUnavailable, Fenced, TopicError, TopicNotFound

_AWAY: Final = frozenset({
    KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._MSG_TIMED_OUT,
    KafkaError._RESOLVE, KafkaError._TIMED_OUT_QUEUE, KafkaError._WAIT_COORD, KafkaError._RETRY,
    KafkaError._MAX_POLL_EXCEEDED, KafkaError._QUEUE_FULL, KafkaError._WAIT_CACHE,
    KafkaError.REQUEST_TIMED_OUT, KafkaError.BROKER_NOT_AVAILABLE, KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.NETWORK_EXCEPTION, KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.NOT_COORDINATOR, KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND, KafkaError.KAFKA_STORAGE_ERROR, KafkaError.NOT_CONTROLLER,
    KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH, KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.CONCURRENT_TRANSACTIONS, KafkaError.UNSTABLE_OFFSET_COMMIT, KafkaError.THROTTLING_QUOTA_EXCEEDED,
})  # fmt: skip
_UNKNOWN_TOPIC: Final = frozenset({
    KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION,
})  # fmt: skip
_FENCED: Final = frozenset({
    KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID, KafkaError._ASSIGNMENT_LOST, KafkaError._FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.INVALID_PRODUCER_ID_MAPPING, KafkaError.PRODUCER_FENCED,
})  # fmt: skip
_FORBIDDEN: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "the consumer group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the cluster",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "the transactional id",
}
_LOGIN: Final = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._SSL})

TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE})
MOVED: Final = frozenset({
    KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS, KafkaError.UNKNOWN_MEMBER_ID,
})  # fmt: skip
"""The group is changing: a commit can succeed at the next attempt, if the partition is still owned then."""


def reason(error: KafkaException | KafkaError) -> KafkaError:
    """The client's error inside the exception."""
    if isinstance(error, KafkaError):
        return error
    inner = error.args[0] if error.args else None
    return inner if isinstance(inner, KafkaError) else KafkaError(KafkaError._FAIL, str(error))


def topic_error(error: KafkaException | KafkaError, doing: str) -> TopicError:
    """The error for people: `doing` says what was tried, such as `writing to topic orders`."""
    found = reason(error)
    code, text = found.code(), found.str()
    if code in _UNKNOWN_TOPIC:
        return TopicNotFound(f"{doing}: the topic does not exist, or exists no longer ({text})")
    if code in _FENCED:
        return Fenced(f"{doing}: another member of the group, or another process, has taken over ({text})")
    if code in _LOGIN:
        return TopicError(f"{doing}: the Kafka cluster does not let LangStream in: {text}. Check the credentials")
    if code in _FORBIDDEN:
        return TopicError(f"{doing}: the credentials have no permission for {_FORBIDDEN[code]} ({text})")
    if code in TOO_LARGE:
        return TopicError(
            f"{doing}: a record is larger than Kafka takes; raise 'max.message.bytes' of the topic, and "
            "'producer.max.request.size' if it is beyond 16 MiB"
        )
    if code in _AWAY or found.retriable():
        return BrokerUnavailable(f"{doing}: the Kafka cluster cannot do it at the moment: {text}")
    return TopicError(f"{doing}: {text} ({found.name()})")


def no_news(error: KafkaError) -> bool:
    """Whether the client reports that none of the brokers is down, as it does (`0/2 brokers are down`) after changing
    from one connection to another: for a moment there was none."""
    return error.code() == KafkaError._ALL_BROKERS_DOWN and error.str().startswith("0/")
