"""`webcrawler-source`: a crawler for web sites, polite towards them and careful with the network it stands in."""

from __future__ import annotations

from langstream.agents.declaration import AgentType, ComponentType, Composable
from langstream.agents.web.crawler.options import WebCrawlerConfiguration, check_options
from langstream.sdk.contract import Source


def create(options: WebCrawlerConfiguration) -> Source:
    """The crawler; imported when one runs, so that planning stays quick."""
    from langstream.agents.web.crawler.source import WebCrawlerSource

    return WebCrawlerSource(options)


AGENT = AgentType(
    name="webcrawler-source",
    component_type=ComponentType.SOURCE,
    configuration=WebCrawlerConfiguration,
    create=create,
    check=check_options,
    summary="Crawls web sites and emits their pages, new and changed ones.",
    description="""\
The key is the address of the page, the value its HTML in UTF-8 (other texts, XML and binary contents as they are);
headers: `url`, `content_type` and `content_diff` (`new`, `content_changed` or `content_unchanged`). robots.txt,
sitemaps, `noindex`, `nofollow`, canonical links, `Retry-After` and conditional requests are understood. What was
delivered is remembered across restarts. Every replica crawls everything: use a parallelism of 1.""",
    composable=Composable.OPTIONAL,
    family="web",
    keeps_state=True,
    example="""\
- type: webcrawler-source
  output: pages
  configuration:
    seed-urls: ["https://handbook.example.org/"]
    allowed-domains: ["https://handbook.example.org/"]
    forbidden-paths: ["/drafts"]
    reindex-interval-seconds: 3600
    emit-deletions: true
""",
)
