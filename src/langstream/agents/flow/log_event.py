"""`log-event`: writes records, or facts about them, to the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pydantic import Field

from langstream.agents.declaration import AgentType, ComponentType
from langstream.agents.transform.step import Apply, Step, TransformProcessor
from langstream.agents.working_record import WorkingRecord
from langstream.configuration.model import Configuration, Expression, Template, Text
from langstream.errors import LangStreamError
from langstream.expressions import compile_condition, compile_expression
from langstream.records import SimpleRecord, dump_json
from langstream.templates import compile_template

_log = logging.getLogger("langstream.agents.log-event")


class LogField(Configuration):
    """One member of a log line."""

    name: Text = Field(description="Its name.")
    expression: Expression = Field(description="What is computed.")


class LogEventConfiguration(Configuration):
    """Options of `log-event`."""

    when: Expression | None = Field(default=None, description="Only records for which this holds are logged.")
    fields: list[LogField] = Field(default=[], description="A log line with the results of these expressions.")
    message: Template | None = Field(default=None, description="A log line with this text.")


def create(configuration: LogEventConfiguration) -> TransformProcessor:
    """The processor."""
    return TransformProcessor(Step(_log_event(configuration), "log-event", reads_value=False))


def _log_event(configuration: LogEventConfiguration) -> Apply:
    condition = None if configuration.when is None else compile_condition(configuration.when)
    writers: list[Callable[[WorkingRecord], None]] = []
    if configuration.fields:
        writers.append(_log_fields(configuration.fields))
    if configuration.message is not None:
        writers.append(_log_message(configuration.message))
    if not writers:
        writers.append(_log_record)

    def log(working: WorkingRecord) -> None:
        """Whatever goes wrong is logged too: logging never fails a record."""
        try:
            if condition is None or condition(working):
                for write in writers:
                    write(working)
        except (LangStreamError, RecursionError, ValueError, TypeError) as error:
            _log.warning("the record could not be logged: %s", error)

    return log


def _log_fields(fields: Sequence[LogField]) -> Callable[[WorkingRecord], None]:
    compiled = [(field.name, compile_expression(field.expression)) for field in fields]

    def write(working: WorkingRecord) -> None:
        _log.info("record %s", _text({name: evaluate(working) for name, evaluate in compiled}))

    return write


def _log_message(message: str) -> Callable[[WorkingRecord], None]:
    render = compile_template(message)

    def write(working: WorkingRecord) -> None:
        _log.info("%s", render(working))

    return write


def _log_record(working: WorkingRecord) -> None:
    record: SimpleRecord = working.to_record()
    members = {
        "key": record.key(),
        "value": record.value(),
        "headers": record.headers(),
        "origin": record.origin(),
        "timestamp": record.timestamp(),
    }
    _log.info("record %s", _text(members))


def _text(members: dict[str, object]) -> str:
    """One line of JSON: whatever a record holds, it cannot begin a log line of its own."""
    return dump_json(members).decode()


AGENT = AgentType(
    name="log-event",
    component_type=ComponentType.PROCESSOR,
    configuration=LogEventConfiguration,
    create=create,
    summary="Writes records, or facts about them, to the log.",
    description="Without `fields` and `message` the whole record is logged. Every record passes unchanged.",
    family="flow",
    example="""\
- type: log-event
  input: people
  output: logged-people
  configuration:
    message: "got {{ value.name }}"
    fields:
      - { name: id, expression: key }
""",
    example_input="""\
- { key: a1, value: { name: Ada } }
""",
    example_output="""\
- { key: a1, value: { name: Ada } }
""",
)
