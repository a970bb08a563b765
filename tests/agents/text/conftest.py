"""Documents to extract text from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def documents() -> ModuleType:
    """The makers of documents."""
    specification = importlib.util.spec_from_file_location("text_documents", Path(__file__).with_name("documents.py"))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
