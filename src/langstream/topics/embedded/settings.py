"""Settings of the embedded broker."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from langstream.configuration.model import Configuration


class EmbeddedConfiguration(Configuration):
    """`streamingCluster.configuration` of an instance whose type is `embedded`."""

    directory: str | None = Field(
        default=None, description="Where the topics are kept, in place of the data directory of the process."
    )
    sync: Literal["full", "normal"] = Field(
        default="full",
        description="What acknowledged records survive: `full` a power failure too, `normal` the end of the process.",
    )
    max_bytes: int | None = Field(
        default=None, ge=1 << 20, description="Largest size of the file; writes beyond it are refused."
    )
    lock_timeout_seconds: float = Field(
        default=10.0, ge=0, description="How long to wait while another program has the file locked."
    )
    session_timeout_seconds: float = Field(
        default=10.0,
        gt=1.5,
        description="After this time without a sign of life, a hanging process loses its partitions.",
    )
    cleanup_interval_seconds: float = Field(
        default=10.0, gt=0, description="Time between two rounds of retention and compaction."
    )
