"""Mustache templates for prompts, compiled once to Python closures.

>>> from langstream.templates import compile_template
>>> compile_template("Hello {{{ value.name }}}!")({"value": {"name": "Ada"}})
'Hello Ada!'
"""

from __future__ import annotations

from langstream.templates.compiler import compile_template
from langstream.templates.errors import TemplateError, TemplateSyntaxError

__all__ = ["TemplateError", "TemplateSyntaxError", "compile_template"]
