"""The connection to OpenSearch: basic login, or requests signed for AWS."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from langstream.services.ai.bedrock.signing import Credentials, Signer
from langstream.services.stores.http import Authorize, Request, StoreClient
from langstream.services.stores.opensearch.configuration import OpenSearchConfiguration

CATEGORIES: Final = {
    "es_rejected_execution_exception": "transient",
    "rejected_execution_exception": "transient",
    "circuit_breaking_exception": "transient",
    "cluster_block_exception": "transient",
    "no_shard_available_action_exception": "transient",
    "unavailable_shards_exception": "transient",
    "process_cluster_event_timeout_exception": "transient",
    "version_conflict_engine_exception": "transient",
}
"""What the server's words for a failure mean, where its status could be read otherwise."""


def client(configuration: OpenSearchConfiguration) -> StoreClient:
    """The client of the server."""
    login: tuple[str, str] | None = None
    secrets: tuple[str, ...] = ()
    if configuration.username is not None and configuration.password is not None:
        login = (configuration.username, configuration.password)
        secrets = (configuration.password, *filter(None, [configuration.session_token]))
    return StoreClient(
        "OpenSearch",
        configuration.root(),
        login=None if configuration.aws else login,
        secrets=secrets,
        authorize=signature(configuration) if configuration.aws else None,
        words=words,
        categories=CATEGORIES,
        verify=configuration.verify_certificates,
    )


def signature(configuration: OpenSearchConfiguration) -> Authorize:
    """Signs each request for AWS."""
    credentials = Credentials(
        configuration.username or "", configuration.password or "", configuration.session_token or None
    )
    signer = Signer(credentials, configuration.signing_region() or "", configuration.signing_service())

    async def signed(request: Request) -> Mapping[str, str]:
        digest = hashlib.sha256(request.body).hexdigest()  # serverless collections want it said
        headers = {**request.headers, "X-Amz-Content-Sha256": digest}
        return signer.headers(request.method, request.url, headers, request.body, datetime.now(UTC))

    return signed


def words(content: Any) -> tuple[str, str]:
    """The server's message, with its root causes, and its word for the failure."""
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, dict):
        return (error, "") if isinstance(error, str) else ("", "")
    message = reason(error)
    causes = [reason(cause) for cause in error.get("root_cause") or ()]
    others = [cause for cause in dict.fromkeys(causes) if cause != message]
    if others:
        message = f"{message}. Root causes: {'; '.join(others)}"
    return message, str(error.get("type") or "")


def reason(error: Mapping[str, Any]) -> str:
    """One error of the server in words, with what it was caused by."""
    text = f"{error.get('type', 'error')} - {error.get('reason', 'no reason given')}"
    cause = error.get("caused_by")
    return f"{text}: {cause['reason']}" if isinstance(cause, dict) and cause.get("reason") else text
