"""Reading the XML answers of object stores, whatever namespace they use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from langstream.errors import ServiceError

_NAMESPACE = re.compile(r"\{[^}]*\}")


class Node:
    """An element; names are without their namespace."""

    def __init__(self, element: ET.Element) -> None:
        self._element = element

    def child(self, name: str) -> Node | None:
        """The first child of that name."""
        return next(self.children(name), None)

    def children(self, name: str) -> Iterator[Node]:
        """All children of that name."""
        return (Node(child) for child in self._element if _NAMESPACE.sub("", child.tag) == name)

    def text(self, name: str) -> str:
        """The text of a child, empty if there is none."""
        found = self.child(name)
        return (found._element.text or "") if found is not None else ""

    def attribute(self, name: str) -> str:
        """An attribute, empty if there is none."""
        return self._element.get(name, "")

    @property
    def content(self) -> str:
        """The element's own text."""
        return self._element.text or ""


def parse(body: bytes, place: str) -> Node:
    """The root of a document. Expat itself bounds what entities may expand to."""
    try:
        return Node(ET.fromstring(body))  # noqa: S314
    except ET.ParseError as error:
        raise ServiceError(f"{place}: the answer is not XML ({error})", category="malformed") from None


def refusal(body: bytes) -> tuple[str, str]:
    """(code, message) of an error document; empty where there is none."""
    try:
        root = parse(body, "")
    except ServiceError:
        return "", ""
    return root.text("Code"), " ".join(root.text("Message").split("\n")[0].split())
