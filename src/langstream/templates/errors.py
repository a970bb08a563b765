"""What can be wrong with a template: its text, or what it misses when it is rendered."""

from __future__ import annotations

from langstream.errors import LangStreamError, RecordError


class TemplateSyntaxError(LangStreamError):
    """The text is not a template. `line` counts from 1."""

    retryable = False

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class TemplateError(RecordError):
    """The template cannot be rendered for this record: a variable is missing or null, or has no text."""

    retryable = False
