"""What the control plane says of an application, and what can be refused by it before a gateway is asked.

Where no control plane answers nothing is checked: the gateway checks by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from langstream.cli.client import Address, ClientError
from langstream.configuration.validation import did_you_mean

ANSWER_SECONDS: Final = 3.0


async def gateway_definition(address: Address, kind: str) -> dict[str, Any] | None:
    """The declaration of the gateway; None where no control plane answers. Raises ClientError if there is none."""
    description = await _description(address)
    if description is None:
        return None
    gateways = (description.get("application", {}).get("gateways") or {}).get("gateways") or []
    for each in gateways:
        if each.get("id") == address.gateway and each.get("type") == kind:
            return dict(each)
    raise ClientError(_no_such_gateway(address, kind, gateways))


def check(address: Address, definition: Mapping[str, Any]) -> None:
    """Raises ClientError for parameters and credentials that the gateway would refuse."""
    wanted = parameters(definition)
    missing = [name for name in wanted if not address.parameters.get(name, "").strip()]
    where = f"gateway {address.gateway}"
    if missing:
        options = " ".join(f"-p {name}=…" for name in missing)
        raise ClientError(
            f"{where} needs the parameter{'s' if len(missing) > 1 else ''} {', '.join(missing)}: {options}"
        )
    unknown = [name for name in address.parameters if name not in wanted]
    if unknown and not _proxies(definition):
        hint = did_you_mean(unknown[0], wanted) or f"Parameters: {', '.join(wanted) or 'none'}."
        raise ClientError(f"{where} has no parameter {unknown[0]}. {hint}")
    _check_credentials(address, definition, where)


def parameters(definition: Mapping[str, Any]) -> list[str]:
    """The parameters a client must give: the declared ones, and those that headers of chats and services need."""
    declared = definition.get("parameters") or []
    declared = [declared] if isinstance(declared, str) else declared
    return list(dict.fromkeys([*map(str, declared), *session_parameters(definition)]))


def session_parameters(definition: Mapping[str, Any]) -> list[str]:
    """The parameters that headers of a chat or service are taken from."""
    options = definition.get("chat-options") or definition.get("service-options") or {}
    rules = options.get("headers") or []
    rules = [rules] if isinstance(rules, Mapping) else rules
    named = [rule.get("value-from-parameters") or rule.get("valueFromParameters") for rule in rules]
    return [str(name) for name in named if name]


def _proxies(definition: Mapping[str, Any]) -> bool:
    return bool((definition.get("service-options") or {}).get("agent-id"))


def _check_credentials(address: Address, definition: Mapping[str, Any], where: str) -> None:
    authentication = definition.get("authentication")
    if not authentication:
        return
    if not address.credentials and not address.test_credentials:
        provider = authentication.get("provider")
        raise ClientError(f"{where} needs credentials (provider {provider}): give them with -c, or -tc for test mode")
    if address.test_credentials and authentication.get("allow-test-mode") is False:
        raise ClientError(f"{where} does not allow test mode: give credentials with -c")


def _no_such_gateway(address: Address, kind: str, gateways: Sequence[Mapping[str, Any]]) -> str:
    others = [str(each.get("type")) for each in gateways if each.get("id") == address.gateway]
    if others:
        return f"gateway {address.gateway} is a {others[0]} gateway: use `langstream gateway {others[0]}`"
    known = [str(each.get("id")) for each in gateways if each.get("type") == kind]
    hint = did_you_mean(address.gateway, known) or f"Its {kind} gateways: {', '.join(known) or 'none'}."
    return f"application {address.application} has no {kind} gateway {address.gateway}. {hint}"


async def _description(address: Address) -> dict[str, Any] | None:
    import aiohttp

    base = address.profile.web_service_url
    if not base:
        return None
    url = f"{base.rstrip('/')}/api/applications/{quote(address.tenant, safe='')}"
    headers = {"Authorization": f"Bearer {address.profile.token}"} if address.profile.token else {}
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            async with session.get(f"{url}/{quote(address.application, safe='')}") as response:
                if response.status == 200:
                    found: dict[str, Any] = await response.json(content_type=None)
                    return found
                if response.status != 404:
                    return None
            async with session.get(url) as response:
                known = [each["application-id"] for each in await response.json(content_type=None)]
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError, TypeError, AttributeError):
        return None
    hint = did_you_mean(address.application, known) or f"Running there: {', '.join(known) or 'none'}."
    raise ClientError(f"the control plane at {base} knows no application {address.application}. {hint}")
