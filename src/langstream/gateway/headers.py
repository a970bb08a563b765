"""Headers that a gateway attaches to messages, or expects of records, resolved for one client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from langstream.application.model import HeaderRule
from langstream.errors import GatewayError

Principal: TypeAlias = Mapping[str, str]
"""Who the client is, as its authentication provider says: name → text. Empty for anonymous clients."""

Resolved: TypeAlias = tuple[tuple[str, str], ...]


def resolve(rule: HeaderRule, parameters: Mapping[str, str], principal: Principal) -> str | None:
    """The text of the header for this client, or None where neither parameter nor principal has it."""
    if rule.value is not None:
        return rule.value
    if rule.value_from_parameters is not None:
        return parameters.get(rule.value_from_parameters)
    return principal.get(rule.value_from_authentication or "")


def resolve_all(rules: Iterable[HeaderRule], parameters: Mapping[str, str], principal: Principal) -> Resolved:
    """Every header with its text. Raises GatewayError for one that has none."""
    resolved = []
    for rule in rules:
        text = resolve(rule, parameters, principal)
        if not text:
            raise GatewayError(400, f"header {rule.key} cannot be empty: {_reason(rule)}")
        resolved.append((rule.key, text))
    return tuple(resolved)


def _reason(rule: HeaderRule) -> str:
    if rule.value_from_parameters is not None:
        return f"the parameter {rule.value_from_parameters} was not given"
    if rule.value_from_authentication is not None:
        return f"the authenticated client has no {rule.value_from_authentication}"
    return "its value is blank"
