"""`gateways.yaml`: the doors for clients. Options are resolved and references inside the application are checked."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any, Final

from langstream.application.model import (
    ChatOptions,
    Gateway,
    GatewayAuthentication,
    GatewayType,
    HeaderRule,
    ServiceOptions,
)
from langstream.application.placeholders import Placeholders
from langstream.application.section import Section
from langstream.application.yaml_source import Document
from langstream.configuration.validation import did_you_mean
from langstream.errors import Problem
from langstream.registry import AUTHENTICATION, Registry

_OPTIONS: Final = {
    "produce-options": GatewayType.PRODUCE,
    "produceOptions": GatewayType.PRODUCE,
    "consume-options": GatewayType.CONSUME,
    "consumeOptions": GatewayType.CONSUME,
    "chat-options": GatewayType.CHAT,
    "service-options": GatewayType.SERVICE,
}
_KEYS: Final = ("id", "type", "topic", "authentication", "parameters", *_OPTIONS, "events-topic")
_CANCEL: Final = "cancel-after-seconds"
DEFAULT_TIMEOUT_SECONDS: Final = 30.0
MAX_TIMEOUT_SECONDS: Final = 3600.0
MAX_ABSENCE_SECONDS: Final = 3600.0


def read_gateways(
    document: Document, topics: Collection[str] | None, placeholders: Placeholders, problems: list[Problem]
) -> tuple[Gateway, ...]:
    """The gateways of the file. `topics` are those the application declares; None where not all of them are known."""
    top = Section(document.data, document.places, problems, document.file, placeholders)
    top.only("gateways")
    gateways: dict[tuple[str, GatewayType], Gateway] = {}
    for entry in top.sections("gateways", "gateway"):
        gateway = _Reader(entry, topics).gateway()
        if gateway is None:
            continue
        first = gateways.setdefault((gateway.id, gateway.type), gateway)
        if first is not gateway:
            entry.problem(
                f"{gateway.type.capitalize()} gateway '{gateway.id}' is declared twice",
                "id",
                hint=f"It is first declared at {first.position}.",
            )
    return tuple(gateways.values())


class _Reader:
    """Reads one gateway."""

    def __init__(self, entry: Section, topics: Collection[str] | None) -> None:
        self._entry, self._topics = entry, topics
        self._parameters: tuple[str, ...] | None = None
        self._authenticated = False
        self._chatting = False

    def gateway(self) -> Gateway | None:
        entry = self._entry
        id = entry.text("id", required=True)
        if id is not None:
            entry.subject = f"gateway '{id}'"
        entry.only(*_KEYS)
        if "type" not in entry:
            entry.missing("type", f"One of {', '.join(GatewayType)}.")
        type = entry.optional_choice("type", GatewayType)
        self._parameters = entry.texts("parameters")
        authentication = self._authentication()
        self._authenticated = "authentication" in entry
        events_topic = self._topic(entry, "events-topic")
        if type is None:
            return None
        self._chatting = type is GatewayType.CHAT
        self._refuse_other_options(type)
        topic = self._own_topic(type)
        headers, filters = self._produce_headers(type), self._consume_filters(type)
        chat = self._chat() if type is GatewayType.CHAT else None
        service = self._service() if type is GatewayType.SERVICE else None
        if id is None:
            return None
        return Gateway(
            id=id,
            type=type,
            topic=topic,
            authentication=authentication,
            parameters=self._parameters,
            headers=headers,
            filters=filters,
            chat=chat,
            service=service,
            events_topic=events_topic,
            position=entry.position("id"),
            definition=_definition(entry.data),
        )

    def _refuse_other_options(self, type: GatewayType) -> None:
        for key, owner in _OPTIONS.items():
            if key in self._entry and owner is not type:
                self._entry.problem(
                    f"{self._entry.title} of type {type} cannot have '{key}'",
                    key,
                    hint=f"They belong to gateways of type {owner}.",
                )
        for kebab, camel in (("produce-options", "produceOptions"), ("consume-options", "consumeOptions")):
            if kebab in self._entry and camel in self._entry:
                self._entry.problem(f"{self._entry.title} has both '{kebab}' and '{camel}'", camel)

    def _own_topic(self, type: GatewayType) -> str | None:
        entry = self._entry
        if type in (GatewayType.PRODUCE, GatewayType.CONSUME):
            if "topic" not in entry:
                entry.missing("topic")
            return self._topic(entry, "topic")
        if "topic" in entry:
            options = f"{type}-options"
            entry.problem(
                f"{entry.title} of type {type} cannot have a 'topic'", "topic", hint=f"Its topics are in {options}."
            )
        return None

    def _topic(self, section: Section, key: str) -> str | None:
        name = section.text(key)
        if name is None:
            if key in section:
                section.missing(key)
        elif self._topics is not None and name not in self._topics:
            known = ", ".join(sorted(self._topics)) or "none"
            hint = did_you_mean(name, self._topics) or f"Declared topics: {known}."
            section.problem(f"'{key}' of {section.subject} names topic '{name}', which is not declared", key, hint=hint)
        return name

    def _produce_headers(self, type: GatewayType) -> tuple[HeaderRule, ...]:
        if type is not GatewayType.PRODUCE:
            return ()
        options = self._options("produce-options", "produceOptions")
        options.only("headers")
        return self._headers(options)

    def _consume_filters(self, type: GatewayType) -> tuple[HeaderRule, ...]:
        if type is not GatewayType.CONSUME:
            return ()
        options = self._options("consume-options", "consumeOptions")
        options.only("filters")
        filters = options.section("filters", f"filters of {options.subject}")
        filters.only("headers")
        return self._headers(filters)

    def _options(self, key: str, alias: str | None = None) -> Section:
        written = alias if alias and key not in self._entry and alias in self._entry else key
        return self._entry.section(written, f"{key} of {self._entry.subject}")

    def _chat(self) -> ChatOptions | None:
        if "chat-options" not in self._entry:
            self._entry.missing("chat-options", "A chat gateway needs its questions-topic and answers-topic.")
            return None
        options = self._options("chat-options")
        options.only("questions-topic", "answers-topic", "headers", _CANCEL)
        questions, answers = (self._required_topic(options, key) for key in ("questions-topic", "answers-topic"))
        headers = self._headers(options)
        if _CANCEL in options and all(rule.value is not None for rule in headers):
            options.problem(
                f"'{_CANCEL}' of {options.subject} needs a header by which the answers of one client are told from "
                "those of others",
                _CANCEL,
                hint="Add one to headers, such as {key: session, value-from-parameters: session-id}.",
            )
        absence = self._absence(options)
        return ChatOptions(questions, answers, headers, absence) if questions and answers else None

    def _service(self) -> ServiceOptions | None:
        if "service-options" not in self._entry:
            self._entry.missing("service-options", "A service gateway needs an agent-id, or both topics.")
            return None
        options = self._options("service-options")
        options.only("agent-id", "input-topic", "output-topic", "headers", "timeout-seconds", _CANCEL)
        agent = options.text("agent-id")
        headers = self._headers(options)
        timeout = self._timeout(options)
        if agent is not None:
            for key in ("input-topic", "output-topic"):
                if key in options:
                    options.problem(f"{options.title} cannot have both 'agent-id' and '{key}'", key)
            if _CANCEL in options:
                options.problem(
                    f"{options.title} cannot have both 'agent-id' and '{_CANCEL}'",
                    _CANCEL,
                    hint="Leave it out: the connection to the agent is closed as soon as the client has left.",
                )
            return ServiceOptions(agent_id=agent, headers=headers, timeout_seconds=timeout)
        absence = self._absence(options)
        source, target = (self._required_topic(options, key) for key in ("input-topic", "output-topic"))
        if not source or not target:
            return None
        return ServiceOptions(
            input_topic=source,
            output_topic=target,
            headers=headers,
            timeout_seconds=timeout,
            cancel_after_seconds=absence,
        )

    def _timeout(self, options: Section) -> float:
        seconds = self._seconds(options, "timeout-seconds")
        if seconds is None:
            return DEFAULT_TIMEOUT_SECONDS
        if not 0 < seconds <= MAX_TIMEOUT_SECONDS:
            options.problem(
                f"'timeout-seconds' of {options.subject} must be a number above 0 and at most {MAX_TIMEOUT_SECONDS:g}",
                "timeout-seconds",
            )
            return DEFAULT_TIMEOUT_SECONDS
        return seconds

    def _absence(self, options: Section) -> float | None:
        seconds = self._seconds(options, _CANCEL)
        if seconds is None or 0 <= seconds <= MAX_ABSENCE_SECONDS:
            return seconds
        options.problem(
            f"'{_CANCEL}' of {options.subject} must be a number from 0 (at once) to {MAX_ABSENCE_SECONDS:g}", _CANCEL
        )
        return None

    def _seconds(self, options: Section, key: str) -> float | None:
        """The number as written; -1 for what is none."""
        written = options.value(key)
        if written is None:
            return None
        try:
            return float(written) if not isinstance(written, bool) else -1.0
        except (TypeError, ValueError):
            return -1.0

    def _required_topic(self, options: Section, key: str) -> str | None:
        if key not in options:
            options.missing(key)
            return None
        return self._topic(options, key)

    def _headers(self, owner: Section) -> tuple[HeaderRule, ...]:
        rules = []
        for entry in owner.sections("headers", f"header of {owner.subject}"):
            rule = self._header(entry)
            if rule is not None:
                rules.append(rule)
        return tuple(rules)

    def _header(self, entry: Section) -> HeaderRule | None:
        parameters, principal = "value-from-parameters", "value-from-authentication"
        aliases = {"valueFromParameters": parameters, "valueFromAuthentication": principal}
        entry.only("key", "value", parameters, principal, *aliases)
        key = entry.text("key")
        given = [
            (aliases.get(name, name), name) for name in ("value", parameters, principal, *aliases) if name in entry
        ]
        if key:
            entry.subject = entry.subject.replace("header of", f"header '{key}' of", 1)
        if len(given) != 1:
            found = " and ".join(f"'{written}'" for _, written in given) or "none"
            entry.problem(f"{entry.title} needs exactly one of 'value', '{parameters}' and '{principal}', not {found}")
            return None
        kind, written = given[0]
        text = entry.text(written)
        if text is None:
            entry.problem(f"'{written}' of {entry.subject} is empty", written)
            return None
        self._check_origin(entry, kind, written, text)
        return HeaderRule(
            key or text,
            value=text if kind == "value" else None,
            value_from_parameters=text if kind == parameters else None,
            value_from_authentication=text if kind == principal else None,
        )

    def _check_origin(self, entry: Section, kind: str, written: str, text: str) -> None:
        # the parameters of a chat's headers are required of clients without being declared
        if kind == "value-from-parameters" and not self._chatting and text not in (self._parameters or ()):
            hint = did_you_mean(text, self._parameters or ()) or f"Add it to the gateway's parameters: [{text}]."
            entry.problem(
                f"{entry.title} takes its value from parameter '{text}', which is not declared", written, hint=hint
            )
        if kind == "value-from-authentication" and not self._authenticated:
            entry.problem(
                f"{entry.title} takes its value from the principal, but the gateway has no 'authentication'", written
            )

    def _authentication(self) -> GatewayAuthentication | None:
        entry = self._entry
        if "authentication" not in entry:
            return None
        section = entry.section("authentication", f"authentication of {entry.subject}")
        section.only("provider", "configuration", "allow-test-mode")
        provider = section.text("provider", required=True)
        configuration = section.mapping("configuration")
        allow_test_mode = section.boolean("allow-test-mode", True)
        known = Registry(AUTHENTICATION).names()
        if provider is not None and provider not in known:
            hint = did_you_mean(provider, known) or f"Known providers: {', '.join(known)}."
            section.problem(f"{section.title} has the unknown provider '{provider}'", "provider", hint=hint)
        return GatewayAuthentication(provider, configuration, bool(allow_test_mode)) if provider else None


def _definition(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The gateway as written, without the settings of its authentication provider."""
    shown = copy.deepcopy(dict(data))
    if isinstance(shown.get("authentication"), dict):
        shown["authentication"].pop("configuration", None)
    return shown
