"""`secrets.yaml`: named groups of credentials, referred to as `${secrets.<id>.<key>}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langstream.application.section import Section
from langstream.application.yaml_source import Document
from langstream.errors import Problem


def read_secrets(document: Document, problems: list[Problem]) -> dict[str, Mapping[str, Any]]:
    """Secret id → its data. Messages name ids and keys, never values."""
    top = Section(document.data, document.places, problems, document.file)
    if "secrets" in top.data:
        top.only("secrets")
    else:
        top.problem(f"{document.file} must have the top-level key 'secrets'")
    secrets: dict[str, Mapping[str, Any]] = {}
    for entry in top.sections("secrets", "secret"):
        entry.only("id", "name", "data")
        id = entry.text("id", raw=True, required=True)
        if id is None:
            continue
        entry.subject = f"secret '{id}'"
        if id in secrets:
            entry.problem(f"Secret '{id}' is declared twice", "id")
            continue
        data = entry.raw("data")
        if data is not None and not isinstance(data, Mapping):
            entry.problem(f"'data' of secret '{id}' must be a mapping", "data")
        secrets[id] = dict(data) if isinstance(data, Mapping) else {}
    return secrets
