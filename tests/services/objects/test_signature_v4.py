"""Signature version 4: the published example of S3, and agreement with an independent implementation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from langstream.services.objects.signature_v4 import sign

NOW = datetime(2013, 5, 24, tzinfo=UTC)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)


def signed(**changes: Any) -> dict[str, str]:
    """The published example, or a variation of it."""
    request: dict[str, Any] = {
        "method": "GET",
        "host": "examplebucket.s3.amazonaws.com",
        "path": "/test.txt",
        "query": "",
        "headers": {"Range": "bytes=0-9"},
        "body": b"",
        "access_key": "AKIAIOSFODNN7EXAMPLE",
        "secret_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "region": "us-east-1",
        "service": "s3",
        "now": NOW,
    }
    return sign(**{**request, **changes})


def test_the_published_example_of_reading_an_object() -> None:
    authorization = signed()["Authorization"]
    assert authorization == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_the_published_example_of_listing() -> None:
    authorization = signed(path="/", query="max-keys=2&prefix=J", headers={})["Authorization"]
    assert authorization.endswith("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


@settings(max_examples=50, deadline=None)
@given(name=TEXT, prefix=TEXT, body=st.binary(max_size=20), region=st.sampled_from(["us-east-1", "eu-west-1"]))
def test_it_agrees_with_botocore(name: str, prefix: str, body: bytes, region: str) -> None:
    path, query = f"/bucket/{quote(name, safe='/~')}", f"prefix={quote(prefix, safe='')}"
    assert signed(path=path, query=query, body=body, region=region, headers={"If-Match": '"x"'})[
        "Authorization"
    ] == of_botocore(path, query, body, region)


def of_botocore(path: str, query: str, body: bytes, region: str) -> str:
    """The header that botocore makes."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    url = f"https://examplebucket.s3.amazonaws.com{path}?{query}"
    request = AWSRequest("GET", url, headers={"If-Match": '"x"'}, data=body)
    request.context["payload_signing_enabled"] = True
    credentials = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    with patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        S3SigV4Auth(credentials, "s3", region).add_auth(request)
    return str(request.headers["Authorization"])
