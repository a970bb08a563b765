"""The options of `webcrawler-source`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from langstream.agents.declaration import Finding, PlanContext
from langstream.agents.web.crawler.addresses import normal
from langstream.agents.web.crawler.scope import Scope, parse_place
from langstream.configuration.leniency import eased
from langstream.configuration.model import Configuration, Secret, Text, TopicName

UNSET_ENDPOINT = "http://minio-endpoint.-not-set:9090"
DEFAULT_BUCKET = "langstream-source"
DEFAULT_KEY = "minioadmin"
DEFAULT_USER_AGENT = "Mozilla/5.0 (compatible; LangStream.ai/0.1; +https://langstream.ai)"
Difference = Literal["new", "content_changed", "content_unchanged"]


def _size(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*[KMG]?", text):
        raise ValueError(f"{text!r} is not a size: expected a number of bytes, such as 500000, 512K, 100M or 2G")
    return text


def _seed(url: str) -> str:
    address = normal(url)
    if address is None:
        raise ValueError(f"{url!r} is not an address that can be crawled: expected one like https://example.com/docs")
    return address


def _entry(entry: str) -> str:
    if parse_place(entry) is None:
        raise ValueError(
            f"{entry!r} is neither a host (example.com, *.example.com) nor an address (https://example.com/docs)"
        )
    return entry


def _path(path: str) -> str:
    if "://" in path:
        raise ValueError(f"{path!r} is an address: expected the beginning of a path, such as /drafts")
    return path


def _service(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", text):
        raise ValueError("not the address of a service: expected http://HOST:PORT or https://HOST")
    return text


Endpoint = Annotated[Text, AfterValidator(_service)]


class WebCrawlerConfiguration(Configuration):
    """Options of `webcrawler-source`."""

    seed_urls: tuple[Annotated[Text, AfterValidator(_seed)], ...] = Field(
        min_length=1, description="Where the crawl starts."
    )
    allowed_domains: tuple[Annotated[Text, AfterValidator(_entry)], ...] = Field(
        min_length=1,
        description="What may be visited: hosts (`example.com`, with all below it `*.example.com`), or addresses "
        "(`https://example.com/docs`) with everything below their path.",
    )
    forbidden_paths: tuple[Annotated[Text, AfterValidator(_path)], ...] = Field(
        default=(), description="Beginnings of paths that are never visited."
    )
    max_urls: int = Field(default=1000, description="At most so many pages per crawl; 0: no limit.")
    max_depth: int = Field(default=50, description="At most so many links away from a seed; 0: no limit.")
    handle_robots_file: bool = Field(default=True, description="Obey robots.txt, and read the sitemaps it names.")
    handle_robots_tags: bool = Field(
        default=True, description="Obey `noindex` and `nofollow` of pages, links and `X-Robots-Tag`."
    )
    follow_canonical_links: bool = Field(
        default=True, description="Emit a page under the canonical address it names, if that may be visited, only."
    )
    scan_html_documents: bool = Field(default=True, description="Follow the links of pages.")
    allow_non_html_contents: bool = Field(
        default=False, description="Emit what is neither text nor XML (PDF, images …) too, as it is."
    )
    max_page_size: Annotated[Text, AfterValidator(_size)] = Field(
        default="10M", description="Longer pages are left out, with a warning. Bytes, or a number with K, M or G."
    )
    reindex_interval_seconds: int = Field(
        default=86_400, description="The next crawl begins this long after the end of one; 0: never."
    )
    emit_content_diff: tuple[Difference, ...] = Field(
        default=("new", "content_changed"), description="Which pages are emitted, compared with the crawl before."
    )
    emit_deletions: bool = Field(
        default=False, description="A page that disappears gives a record with its address as key and a null value."
    )
    deleted_documents_topic: TopicName | None = Field(
        default=None, description="Topic for the addresses of pages that disappear, in place of the output."
    )
    min_time_between_requests: int = Field(
        default=500, description="Milliseconds between two requests to a site; a longer crawl-delay of robots.txt wins."
    )
    concurrent_sites: int = Field(default=8, ge=1, le=256, description="So many sites are visited at the same time.")
    user_agent: Text = Field(
        default=DEFAULT_USER_AGENT, description="How the crawler introduces itself; empty: the default."
    )
    max_error_count: int = Field(default=5, description="So many attempts are made for a page that cannot be had.")
    http_timeout: int = Field(default=10_000, ge=1, description="Milliseconds for one request, with its answer.")
    handle_cookies: bool = Field(default=True, description="Send cookies back to the sites that set them.")
    allow_private_addresses: bool = Field(
        default=False,
        description="Visit hosts of private networks, too, that neither `seed-urls` nor `allowed-domains` names.",
    )
    state_storage: Literal["disk", "s3"] | None = Field(
        default=None, description="Where the state is kept; if not given: `s3` where its options are, else `disk`."
    )
    max_unflushed_pages: int = Field(
        default=100,
        description="Every commit is kept at once; in a bucket, a snapshot of the whole state follows after so many "
        "pages, or, with 0, at the end of a crawl only.",
    )
    bucket_name: Text | None = Field(
        default=None,
        alias="bucketName",
        description="Bucket of the state, made if it is missing; by default `langstream-source`.",
    )
    endpoint: Endpoint | None = Field(
        default=None, description="Address of the object store; that of AWS if only `region` is given."
    )
    access_key: Secret | None = Field(default=None, description="Access key of the object store.")
    secret_key: Secret | None = Field(default=None, description="Secret key of the object store.")
    region: Text | None = Field(default=None, description="Region of the object store.")

    @model_validator(mode="before")
    @classmethod
    def _ease(cls, data: Any) -> Any:
        if isinstance(data, Mapping):
            data = dict(data)
            for name in ("seed-urls", "allowed-domains", "forbidden-paths", "emit-content-diff"):
                if isinstance(data.get(name), str):
                    data[name] = [part.strip() for part in data[name].split(",") if part.strip()]
        return eased(cls, data)

    @property
    def max_bytes(self) -> int:
        """`max-page-size` as a number."""
        units = {"K": 1024, "M": 1024**2, "G": 1024**3}
        unit = units.get(self.max_page_size[-1], 1)
        return int(self.max_page_size.rstrip("KMG")) * unit

    @property
    def attempts(self) -> int:
        """`max-error-count`, one at least."""
        return max(1, self.max_error_count)

    @property
    def agent_name(self) -> str:
        """What is sent as `User-Agent`."""
        return self.user_agent.strip() or DEFAULT_USER_AGENT

    @property
    def reports_deletions(self) -> bool:
        """Whether anybody wants to know of pages that disappear."""
        return self.emit_deletions or self.deleted_documents_topic is not None

    @property
    def keeps_state_in_bucket(self) -> bool:
        """Whether the state belongs into an object store."""
        given = (self.bucket_name, self.endpoint, self.access_key, self.secret_key, self.region)
        return self.state_storage == "s3" or (self.state_storage is None and any(text for text in given))

    @property
    def address(self) -> str:
        """The object store of the state; empty if there is none."""
        if self.endpoint and self.endpoint != UNSET_ENDPOINT:
            return self.endpoint
        region = (self.region or "").strip()
        return f"https://s3.{region}.amazonaws.com" if region else ""

    def scope(self) -> Scope:
        """What may be visited."""
        return Scope(self.allowed_domains, self.forbidden_paths)


def check_options(options: WebCrawlerConfiguration, _: PlanContext) -> Iterable[Finding]:
    """Seeds that the crawl may not visit are mistakes."""
    scope = options.scope()
    for index, seed in enumerate(options.seed_urls):
        if not scope.admits(seed):
            yield Finding(
                f"The seed {seed} may not be visited: it is not inside allowed-domains, or below a forbidden path",
                ("seed-urls", index),
                "Add its host to allowed-domains, or take it out of seed-urls.",
            )
    if options.keeps_state_in_bucket and not options.address:
        yield Finding(
            "The state is to be kept in a bucket, but the address of the object store is missing",
            ("state-storage",),
            "Set endpoint, or region for the one of AWS, or state-storage: disk.",
        )
