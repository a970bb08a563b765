"""Signatures are those of AWS's published test suite, and those of its own library."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import pytest

from langstream.services.ai.bedrock.signing import Credentials, Signer, host_of

MOMENT: Final = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SECRET: Final = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN: Final = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwth"
    "Ax7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAk"
    "iY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
PLACE: Final = "https://example.amazonaws.com/"


@pytest.mark.parametrize(
    ("method", "url", "headers", "payload", "token", "names", "signature"),
    [
        pytest.param(
            "GET", PLACE, {}, b"", None, "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            id="get-vanilla",
        ),
        pytest.param(
            "POST", PLACE, {}, b"", None, "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            id="post-vanilla",
        ),
        pytest.param(
            "GET", f"{PLACE}?Param2=value2&Param1=value1", {}, b"", None, "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            id="get-vanilla-query-order-key-case",
        ),
        pytest.param(
            "POST", PLACE, {"Content-Type": "application/x-www-form-urlencoded"}, b"Param1=value1", None,
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            id="post-x-www-form-urlencoded",
        ),
        pytest.param(
            "GET", PLACE, {"My-Header1": " value1", "My-Header2": ' "a   b   c"'}, b"", None,
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            id="get-header-value-trim",
        ),
        pytest.param(
            "POST", PLACE, {}, b"", TOKEN, "host;x-amz-date;x-amz-security-token",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            id="post-sts-header-before",
        ),
    ],
)  # fmt: skip
def test_published_vectors(
    method: str, url: str, headers: Mapping[str, str], payload: bytes, token: str | None, names: str, signature: str
) -> None:
    signer = Signer(Credentials("AKIDEXAMPLE", SECRET, token), "us-east-1", "service")
    signed = signer.headers(method, url, headers, payload, MOMENT)
    assert signed["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    assert signed["X-Amz-Date"] == "20150830T123600Z"
    assert signed.get("X-Amz-Security-Token") == token


@pytest.mark.parametrize(
    "model", ["amazon.titan-v1", "anthropic.claude-v1%3A0", "arn%3Aaws%3Abedrock%3Aeu%3A1%3Aprofile%2Fx~y", "a%20b"]
)
def test_the_same_as_the_library_of_aws(model: str) -> None:
    awsrequest = pytest.importorskip("botocore.awsrequest")
    auth = pytest.importorskip("botocore.auth")
    credentials = pytest.importorskip("botocore.credentials").Credentials("AKIDEXAMPLE", SECRET, "token")
    url = f"https://bedrock-runtime.eu-west-1.amazonaws.com/model/{model}/converse"
    signer = Signer(Credentials("AKIDEXAMPLE", SECRET, "token"), "eu-west-1", "bedrock")
    ours = signer.headers("POST", url, {"Content-Type": "application/json"}, b'{"a": "\xc3\xa4"}', datetime.now(UTC))
    request = awsrequest.AWSRequest("POST", url, {"Content-Type": "application/json"}, b'{"a": "\xc3\xa4"}')
    request.context["timestamp"] = ours["X-Amz-Date"]
    theirs = auth.SigV4Auth(credentials, "bedrock", "eu-west-1")
    request.headers["X-Amz-Date"] = ours["X-Amz-Date"]
    request.headers["X-Amz-Security-Token"] = "token"
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    assert ours["Authorization"].endswith(f"Signature={theirs.signature(text, request)}")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.com/x", "example.com"),
        ("https://example.com:443/", "example.com"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("http://[::1]:8080/", "[::1]:8080"),
    ],
)
def test_hosts_are_named_as_they_are_sent(url: str, host: str) -> None:
    assert host_of(url) == host


def test_credentials_are_not_shown() -> None:
    assert SECRET not in repr(Signer(Credentials("AKIDEXAMPLE", SECRET, "token"), "r", "s"))
