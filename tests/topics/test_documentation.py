"""What can be set is documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from langstream.topics.embedded.settings import EmbeddedConfiguration

PAGE = (Path(__file__).parents[2] / "docs" / "topics.md").read_text()


@pytest.mark.parametrize("field", EmbeddedConfiguration.model_fields.values(), ids=lambda field: field.alias)
def test_every_setting_of_the_embedded_broker_is_on_the_page_with_its_default(field: object) -> None:
    alias, default = field.alias, field.default  # type: ignore[attr-defined]
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{alias}` ")]
    shown = f"{default:g}" if isinstance(default, float) else default
    assert shown is None or f"{shown}" in row
