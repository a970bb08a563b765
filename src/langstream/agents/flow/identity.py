"""`identity`: passes every record on as it is."""

from __future__ import annotations

from collections.abc import Sequence

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.transform.step import TransformProcessor
from langstream.configuration.model import Configuration
from langstream.records import SimpleRecord
from langstream.sdk.contract import Outcome, Processor


class IdentityConfiguration(Configuration):
    """`identity` has no options."""


class Identity(TransformProcessor):
    """A chain of no steps; the records are not even looked at."""

    def process_batch(self, records: Sequence[SimpleRecord]) -> Sequence[Outcome]:
        """Each record is its own result."""
        return [(record,) for record in records]

    def fuse(self, following: Processor) -> Processor | None:
        """What follows does the work of both."""
        return following


AGENT = AgentType(
    name="identity",
    component_type=ComponentType.PROCESSOR,
    configuration=IdentityConfiguration,
    create=lambda _: Identity(),
    summary="Passes every record on as it is.",
    family="flow",
    example="""\
- type: identity
  input: here
  output: there
""",
    example_input="""\
- { key: a1, value: { name: Ada }, headers: { language: en } }
""",
    example_output="""\
- { key: a1, value: { name: Ada }, headers: { language: en } }
""",
)
