"""The query string of a gateway request: credentials, parameters and options, checked against the gateway.

The order of the checks decides which of several mistakes a client hears about; it is part of the interface.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from langstream.application.model import Gateway, GatewayType
from langstream.configuration.validation import did_you_mean
from langstream.errors import GatewayError

CREDENTIALS: Final = "credentials"
TEST_CREDENTIALS: Final = "test-credentials"
PARAMETER: Final = "param:"
OPTION: Final = "option:"


@dataclass(frozen=True, slots=True)
class Query:
    """What a client said in its URL."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    credentials: str | None = field(default=None, repr=False)
    test_credentials: str | None = field(default=None, repr=False)


def read_query(text: str, gateway: Gateway, *, last_wins: bool) -> Query:
    """The checked query. Of repeated names HTTP takes the first, WebSocket the last. Raises GatewayError."""
    pairs = parse_qsl(text, keep_blank_values=True)
    values = dict(pairs if last_wins else reversed(pairs))
    credentials = values.pop(CREDENTIALS, None)
    test_credentials = values.pop(TEST_CREDENTIALS, None)
    proxied = _is_proxied(gateway)
    if not proxied:
        _check_prefixes(values)
    parameters = _prefixed(values, PARAMETER)
    _check_parameters(parameters, gateway, lenient=proxied)
    options = _prefixed(values, OPTION)
    _check_options(options, gateway)
    if credentials is not None and test_credentials is not None:
        raise GatewayError(400, "credentials and test-credentials cannot be used together; give one of them")
    return Query(parameters, options, credentials, test_credentials)


def forwarded_query(text: str) -> str:
    """The query string as a service agent may see it: without credentials, parameters and options."""
    return "&".join(pair for pair in text.split("&") if pair and not _is_ours(unquote_plus(pair.partition("=")[0])))


def _is_ours(name: str) -> bool:
    return name in (CREDENTIALS, TEST_CREDENTIALS) or name.startswith((PARAMETER, OPTION))


def _is_proxied(gateway: Gateway) -> bool:
    return gateway.service is not None and gateway.service.agent_id is not None


def _prefixed(values: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name[len(prefix) :]: value for name, value in values.items() if name.startswith(prefix)}


def _check_prefixes(values: Iterable[str]) -> None:
    for name in values:
        if not name.startswith((PARAMETER, OPTION)):
            raise GatewayError(
                400,
                f"invalid query parameter '{name}'. Write 'param:{name}' for a parameter of the gateway, "
                f"or 'option:{name}' for an option",
            )


def _accepted_parameters(gateway: Gateway) -> list[str]:
    """The parameters a client must give: the declared ones, and those that headers of chats and services need."""
    rules = (gateway.chat.headers if gateway.chat else ()) + (gateway.service.headers if gateway.service else ())
    needed = [rule.value_from_parameters for rule in rules if rule.value_from_parameters]
    return list(dict.fromkeys([*(gateway.parameters or ()), *needed]))


def _check_parameters(parameters: Mapping[str, str], gateway: Gateway, *, lenient: bool) -> None:
    accepted = _accepted_parameters(gateway)
    for name in accepted:
        if not parameters.get(name, "").strip():
            raise GatewayError(400, f"missing required parameter {name}. Required parameters: [{', '.join(accepted)}]")
    unknown = [name for name in parameters if name not in accepted]
    if unknown and not lenient:
        hint = did_you_mean(unknown[0], accepted)
        raise GatewayError(400, f"unknown parameters: [{', '.join(unknown)}]" + (f". {hint}" if hint else ""))


def _check_options(options: Mapping[str, str], gateway: Gateway) -> None:
    if gateway.type is GatewayType.SERVICE:
        return
    known = () if gateway.type is GatewayType.PRODUCE else ("position",)
    for name, value in options.items():
        if name not in known:
            raise GatewayError(400, f"Unknown option {name}. Known options: [{', '.join(known)}]")
        if not value.strip():
            raise GatewayError(400, f"option {name} cannot be blank: expected latest, earliest or an offset")
