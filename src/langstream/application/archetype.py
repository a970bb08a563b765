"""`archetype.yaml`: the form by which an application is made from a template. Its shape is checked; it runs nothing."""

from __future__ import annotations

from typing import Final

from langstream.application.section import Section
from langstream.application.yaml_source import Document
from langstream.errors import Problem

_PARAMETER_KEYS: Final = ("name", "label", "description", "type", "subtype", "binding", "required", "default")


def check_archetype(document: Document, problems: list[Problem]) -> None:
    """Note what is wrong with the shape of the file."""
    top = Section(document.data, document.places, problems, document.file)
    top.only("archetype")
    archetype = top.section("archetype", "archetype")
    archetype.only("id", "title", "labels", "description", "icon", "sections")
    for section in archetype.sections("sections", "section of the archetype"):
        section.only("title", "description", "parameters")
        for parameter in section.sections("parameters", "parameter of the archetype"):
            parameter.only(*_PARAMETER_KEYS)
