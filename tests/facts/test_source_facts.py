"""Which objects and pages sources take, by their options; ids are those of facts about the original."""

from __future__ import annotations

from typing import Any, Final

import pytest

from langstream.agents.declaration import AGENT_TYPES
from langstream.agents.storage.bucket_options import BucketOptions
from langstream.agents.web.crawler.options import WebCrawlerConfiguration
from langstream.agents.web.crawler.robots import parse_robots, product_token
from langstream.agents.web.crawler.scope import Scope
from langstream.configuration.validation import check
from langstream.services.objects.contract import Content, Version

NEEDED: Final[dict[str, dict[str, Any]]] = {
    "s3-source": {},
    "azure-blob-storage-source": {"endpoint": "https://a.blob.core.windows.net"},
}


def options(type: str, **given: Any) -> BucketOptions:
    written = {name.replace("_", "-"): value for name, value in given.items()}
    found, problems = check(AGENT_TYPES.load(type).configuration, {**NEEDED[type], **written}, subject=type)
    assert isinstance(found, BucketOptions), problems
    return found


@pytest.mark.parametrize("type", NEEDED)
@pytest.mark.parametrize(
    ("extensions", "name", "read"),
    [
        ("*", "aaa", True),
        ("*", ".aaa", True),
        ("*", "aaa.", True),
        ("aaa", "aaa", False),
        ("aaa", "aaa.", False),
        ("aaa", ".aaa", True),
        ("bbb", ".aaa", False),
        ("pdf,", "aaa", True),
        ("pdf,", "aaa.", True),
        (None, "a.pdf", True),
        (None, "a.docx", True),
        (None, "a.html", True),
        (None, "a.htm", True),
        (None, "a.md", True),
        (None, "a.tar.txt", True),
        (None, "a.csv", False),
        (None, "a.PDF", False),
        (None, "pdf", False),
        ("pdf, txt", "a.txt", True),
        ("pdf,pdf", "a.pdf", True),
    ],
)
def test_extensions(type: str, extensions: str | None, name: str, read: bool) -> None:
    """S-7 to S-13; white space around names does not count, and nothing is wrong with a repeated one."""
    assert options(type, file_extensions=extensions).wanted()(name) is read


@pytest.mark.parametrize(("type", "read"), [("s3-source", False), ("azure-blob-storage-source", True)])
def test_folders(type: str, read: bool) -> None:
    """S-14; the option `recursive` decides otherwise."""
    assert options(type).wanted()("dir/a.txt") is read
    assert options(type, recursive=not read).wanted()("dir/a.txt") is not read
    assert options(type, path_prefix="dir").wanted()("dir/a.txt")
    assert not options(type, path_prefix="dir").wanted()("directory.txt")


@pytest.mark.parametrize("type", NEEDED)
def test_objects_are_deleted_and_looked_for_as_in_the_original(type: str) -> None:
    policy = options(type).policy()
    assert (policy.idle_time, policy.delete, policy.emit_deletions, policy.deletions_topic) == (5, True, False, None)
    assert options(type, idle_time="0").policy().idle_time == 0


def test_the_record_of_an_object() -> None:
    """S-15."""
    from langstream.agents.storage.bucket_options import BucketRecords

    content = Content(b"\x00data", Version(5, 0), "text/plain")
    record = BucketRecords("b", {"mine": "x"}).delivery("a.txt", content, "new")
    assert (record.key(), record.value(), record.origin()) == ("a.txt", b"\x00data", None)
    assert dict(record.headers())["name"] == "a.txt"
    assert dict(record.headers())["mine"] == "x"
    assert record.timestamp()


# --- the crawler ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "url", "admitted"),
    [
        (["domain"], "http://domain/x", True),
        (["domain"], "https://domain/x", True),
        (["https://domain"], "https://domain/x", True),
        (["https://domain/else"], "https://domain/something", False),
        (["https://domain/something"], "http://domain/something", False),
        ([], "https://domain/something", False),
        (["domain"], "not-an-url", False),
        (["domain"], "something:somewhere", False),
        (["domain"], "https://DOMAIN/x", True),
        (["domain"], "https://sub.domain/x", False),
        (["domain"], "https://domain:8443/x", True),
        (["https://example.com"], "https://example.com.evil.org/", False),
        (["https://example.com"], "https://example.com:8443/", False),
        (["https://example.com/docs"], "https://example.com/docs-old", False),
        (["https://example.com/docs"], "https://example.com/docs/a b|c", True),
    ],
)
def test_admission(allowed: list[str], url: str, admitted: bool) -> None:
    """W-10 to W-14, W-21: scheme, host, port and path segments are compared, not beginnings of text (D-4)."""
    assert Scope(allowed).admits(url) is admitted


@pytest.mark.parametrize(
    ("forbidden", "path", "admitted"),
    [
        ("/something/", "/something", True),
        ("/something/", "/something/", False),
        ("/something", "/something/secondlevel", False),
        ("/something/sec", "/something/secondlevel", False),
        ("/secondlevel", "/something/secondlevel", True),
        ("/something-else", "/something/secondlevel", True),
        ("/", "", False),
        ("/", "/", False),
        ("/a b", "/a%20b/c", False),
    ],
)
def test_forbidden_paths(forbidden: str, path: str, admitted: bool) -> None:
    """W-15 to W-20."""
    assert Scope(["domain"], [forbidden]).admits(f"https://domain{path}") is admitted


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("<html><body>404</body></html>", "/a", True),
        ("User-agent: *\nDisallow: /b", "/b/c", False),
        ("User-agent: *\nDisallow: /b\nAllow: /b/c", "/b/c", True),
        ("User-agent: *\nDisallow: /b\nAllow: /b", "/b", True),
        ("User-agent: *\nDisallow: /*.pdf$", "/a.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a.pdf?x", True),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
        ("User-agent: *\nCrawl-delay: 400", "/a", False),
        ("User-agent: *\nCrawl-delay: 300", "/a", True),
        ("User-agent: LangStream\nDisallow: /\n\nUser-agent: *\nAllow: /", "/a", False),
        ("User-agent: other\nDisallow: /\n\nUser-agent: *\nAllow: /", "/a", True),
    ],
)
def test_robots(rules: str, path: str, allowed: bool) -> None:
    """W-40 to W-42; the group of the product counts, which the original could not find (W-41)."""
    agent = WebCrawlerConfiguration.model_fields["user_agent"].default
    assert parse_robots(rules, product_token(agent)).allows(path) is allowed


@pytest.mark.parametrize("written", ["", " ", None])
def test_an_empty_user_agent_is_the_default(written: str | None) -> None:
    """W-49."""
    given = {"seed-urls": ["http://h/"], "allowed-domains": ["h"], "user-agent": written}
    found, _ = check(WebCrawlerConfiguration, given, subject="it")
    assert found is not None
    assert found.agent_name == "Mozilla/5.0 (compatible; LangStream.ai/0.1; +https://langstream.ai)"
