"""Placeholders: `${globals.x}`, `${secrets.id.key}` and `${cluster.…}` in the values of application files.

A placeholder that is the whole text is replaced by the value with its type; others are put into the text (lists and
mappings as JSON). A name that is missing at the end of a path is null (nothing, inside text); one that is missing
before the end is a problem. Globals and the cluster may use placeholders themselves, in any order but not in a circle;
secrets are taken as they are. The older form `{{globals.x}}` is replaced in texts that have no other kind of `{{…}}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from langstream.configuration.validation import Locator, Path, did_you_mean, nowhere
from langstream.errors import Problem

_ROOTS: Final = ("globals", "secrets", "cluster")
_PLACEHOLDER: Final = re.compile(r"\$\{([^{}]*)\}")
_LEGACY: Final = (re.compile(r"\{\{\{([^{}]*)\}\}\}"), re.compile(r"\{\{([^{}]*)\}\}"))
_LEGACY_ROOTS: Final = ("secrets", "globals")


class Unresolved(Exception):
    """A placeholder that stands for nothing known."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class Unknown(Exception):
    """What the placeholder stands for cannot be known, because a file could not be read; that is told elsewhere."""


class Placeholders:
    """Resolves placeholders against one set of globals, secrets and cluster settings."""

    def __init__(
        self,
        globals: Mapping[str, Any] | None = None,
        secrets: Mapping[str, Mapping[str, Any]] | None = None,
        cluster: Mapping[str, Any] | None = None,
        *,
        unknown: frozenset[str] = frozenset(),
    ) -> None:
        self._context: dict[str, Mapping[str, Any]] = {
            "globals": globals or {},
            "secrets": secrets or {},
            "cluster": cluster or {},
        }
        self._unknown = unknown
        """Roots whose file could not be read: their placeholders stay, without a problem."""
        self._resolving: list[str] = []

    def resolve(self, value: Any, problems: list[Problem], locate: Locator = nowhere, path: Path = ()) -> Any:
        """A copy of the value without placeholders. Those that cannot be resolved stay, and are added to `problems`."""
        if isinstance(value, str):
            try:
                return self.text(value)
            except Unknown:
                return value
            except Unresolved as failure:
                problems.append(Problem(failure.message, locate(path), failure.hint))
                return value
        if isinstance(value, Mapping):
            return {key: self.resolve(item, problems, locate, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.resolve(item, problems, locate, (*path, index)) for index, item in enumerate(value)]
        return value

    def text(self, text: str) -> Any:
        """The value of a text with placeholders. Raises Unresolved, and Unknown."""
        if "${" in text:
            whole = _PLACEHOLDER.fullmatch(text.strip()) if text.count("{") == 1 else None
            if whole is not None:
                return self.lookup(whole[1])
            resolved = _PLACEHOLDER.sub(lambda match: _written(self.lookup(match[1])), text)
            _refuse_unterminated(text)
            return resolved
        return self._legacy(text) if "{{" in text else text

    def lookup(self, reference: str) -> Any:
        """The value that `globals.a.b` refers to, itself resolved. Raises Unresolved."""
        reference = reference.strip()
        names = reference.split(".")
        if names[0] in self._unknown:
            raise Unknown
        if names[0] not in _ROOTS:
            raise Unresolved(f"Cannot resolve reference '{reference}'.", _root_hint(reference))
        if len(names) == 1 and names[0] == "secrets":
            raise Unresolved("Cannot resolve reference 'secrets': name one secret and one of its keys.")
        return self._resolved(reference, names[0], self._walk(reference, names))

    def _walk(self, reference: str, names: list[str]) -> Any:
        value: Any = self._context
        for index, name in enumerate(names):
            last = index == len(names) - 1
            if not isinstance(value, Mapping):
                raise Unresolved(
                    f"Cannot resolve reference '{reference}': '{'.'.join(names[:index])}' holds no members."
                )
            if name not in value and not last:
                raise Unresolved(
                    f"Cannot resolve reference '{reference}': there is no '{'.'.join(names[: index + 1])}'.",
                    _absent_hint(names, index, value),
                )
            value = value.get(name)
            if isinstance(value, str) and not last and names[0] != "secrets":
                value = self._resolved(".".join(names[: index + 1]), names[0], value)
        return value

    def _resolved(self, reference: str, root: str, value: Any) -> Any:
        if root == "secrets" or not _may_hold_placeholder(value):
            return value
        if reference in self._resolving:
            circle = " → ".join([*self._resolving, reference])
            raise Unresolved(f"Cannot resolve reference '{reference}': it refers to itself ({circle}).")
        self._resolving.append(reference)
        try:
            return self._members(value)
        finally:
            self._resolving.pop()

    def _members(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._members(item) for key, item in value.items()}
        return [self._members(item) for item in value] if isinstance(value, list) else value

    def _legacy(self, text: str) -> Any:
        pattern = _LEGACY[0] if "{{{" in text else _LEGACY[1]
        found = pattern.findall(text)
        if not found or not all(name.strip().split(".")[0] in _LEGACY_ROOTS for name in found):
            return text  # a template of an agent
        return pattern.sub(lambda match: _written(self.lookup(match[1])), text)


def _refuse_unterminated(text: str) -> None:
    rest = _PLACEHOLDER.sub("", text)
    if "${" in rest:
        start = rest[rest.index("${") :][:30]
        raise Unresolved(f"The placeholder that begins with '{start}' has no end.", "Close it with '}'.")


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _may_hold_placeholder(value: Any) -> bool:
    return "{" in value if isinstance(value, str) else isinstance(value, Mapping | list)


def _root_hint(reference: str) -> str:
    if "." not in reference and reference.replace("_", "").isalnum():
        return (
            "Placeholders begin with globals, secrets or cluster. Environment variables are put into the instance and "
            f"secrets files only, where they are set or have a default: ${{{reference}:-default}}."
        )
    root = reference.split(".")[0]
    return did_you_mean(root, _ROOTS) or "Placeholders begin with globals, secrets or cluster."


def _absent_hint(names: list[str], index: int, siblings: Mapping[str, Any]) -> str | None:
    guess = did_you_mean(names[index], siblings)
    if guess or names[0] != "secrets" or index != 1:
        return guess
    if not siblings:
        return "No secrets were given; name the secrets file with -s."
    return f"Known secrets: {', '.join(sorted(siblings))}."
