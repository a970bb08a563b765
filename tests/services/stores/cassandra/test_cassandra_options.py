"""Options of Cassandra and Astra datasources."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from langstream.configuration.validation import check
from langstream.services.stores.cassandra import ASTRA, STORE

LOGIN = {"clientId": "id", "secret": "s"}
BUNDLE = base64.b64encode(b"zip").decode()


def problems(declared: Any, **options: Any) -> str:
    _, found = check(declared.configuration, {"service": declared.service, **options}, subject="it")
    return "; ".join(str(problem) for problem in found)


@pytest.mark.parametrize("points", ["a, b", ["a", "b"]])
def test_contact_points_are_a_list_or_a_text(points: Any) -> None:
    options = {"service": "cassandra", "contact-points": points, "loadBalancing-localDc": "dc"}
    model, _ = check(STORE.configuration, options, subject="it")
    assert model is not None
    assert model.contact_points == ["a", "b"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"contact-points": "a"}, "'loadBalancing-localDc' is required"),
        ({"loadBalancing-localDc": "dc"}, "'contact-points' is required"),
        ({"contact-points": "a", "loadBalancing-localDc": "dc", "secureBundle": BUNDLE}, "'secureBundle' is unknown"),
        ({"contact-points": "a", "loadBalancing-localDc": "dc", "port": 70000}, "port"),
        ({"contact-points": "a", "loadBalancing-localDc": "dc", "username": "u"}, "go together"),
    ],
)
def test_what_a_cluster_cannot_be_reached_with_is_refused(options: dict[str, Any], reason: str) -> None:
    assert reason in problems(STORE, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"secureBundle": BUNDLE},
        {"secureBundle": f"base64:{BUNDLE}"},
        {"token": "t", "database": "d"},
        {"token": "t", "database-id": "d"},
    ],
)
def test_astra_takes_a_bundle_or_what_it_is_fetched_with(options: dict[str, Any]) -> None:
    assert problems(ASTRA, **LOGIN, **options) == ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"secureBundle": BUNDLE, "username": "u", "password": "p"}, "'clientId' is required"),
        ({**LOGIN, "secureBundle": "base64:???"}, "secureBundle must be a valid base64 string."),
        ({**LOGIN, "token": "t"}, "token and database are required"),
        ({**LOGIN, "database": "d"}, "token and database are required"),
        (LOGIN, "token and database are required"),
        ({**LOGIN, "secureBundle": BUNDLE, "environment": "STAGING"}, "environment"),
    ],
)
def test_what_astra_cannot_be_reached_with_is_refused(options: dict[str, Any], reason: str) -> None:
    found = problems(ASTRA, **options)
    assert reason in found
    assert BUNDLE not in found
