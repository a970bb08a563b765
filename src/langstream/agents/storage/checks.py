"""What can be wrong with the options of a source of a bucket beyond each single one."""

from __future__ import annotations

from collections.abc import Iterable

from langstream.agents.declaration import Finding, PlanContext
from langstream.agents.storage.bucket_options import BucketOptions


def findings(options: BucketOptions, context: PlanContext) -> Iterable[Finding]:
    """Options that contradict each other."""
    if options.emit_deletions and options.deleted_objects_topic is not None:
        yield Finding(
            "emit-deletions and deleted-objects-topic contradict each other",
            ("emit-deletions",),
            "Leave one of them out: deletions go either to the output or to a topic of their own",
        )
