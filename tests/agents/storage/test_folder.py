"""Globs select paths; what cannot be seen is not taken for gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langstream.agents.storage.folder import Selection, compile_glob, list_files, read_file
from langstream.agents.storage.ledger import Ledger, Version
from langstream.agents.storage.place import Listing, within


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.md", "a.md", True),
        ("*.md", "x/a.md", False),
        ("**/*.md", "a.md", True),
        ("**/*.md", "x/y/a.md", True),
        ("x/**", "x/y/a.md", True),
        ("x/**", "xy/a.md", False),
        ("?.md", "ab.md", False),
        ("[ab].md", "b.md", True),
        ("[!ab].md", "b.md", False),
        ("[a-c].md", "b.md", True),
        ("a+b.md", "a+b.md", True),
        ("a+b.md", "aab.md", False),
        ("**", "x/y", True),
        ("[", "[", True),
    ],
)
def test_globs(pattern: str, path: str, matches: bool) -> None:
    assert bool(compile_glob(pattern).fullmatch(path)) is matches


@given(st.text(alphabet="ab.-+(){}^$|\\", min_size=1))
def test_a_pattern_without_wildcards_matches_itself(path: str) -> None:
    assert compile_glob(path).fullmatch(path)


@pytest.mark.parametrize(
    ("extensions", "name", "wanted"),
    [
        (None, "aaa", True),
        (None, "aaa.", True),
        ({"aaa"}, "aaa", False),
        ({"aaa"}, "aaa.", False),
        ({"aaa"}, ".aaa", True),
        ({"bbb"}, ".aaa", False),
        ({""}, "aaa", True),
        ({"pdf"}, "a.PDF", True),
    ],
)
def test_extensions(extensions: set[str] | None, name: str, wanted: bool) -> None:
    chosen = frozenset(extensions) if extensions is not None else None
    assert Selection((compile_glob("**/*"),), extensions=chosen).wants(name) is wanted


def test_files_below_a_folder_that_cannot_be_read_are_not_known_to_be_gone() -> None:
    listing = Listing(unreadable=["locked"])
    assert not listing.knows_about("locked/a")
    assert listing.knows_about("lockedx/a")
    assert not Listing(unreadable=[""]).knows_about("anything")


def test_a_file_that_changed_since_it_was_listed_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("12345")
    listed = list_files(tmp_path, Selection((compile_glob("**/*"),))).files["a"]
    file.write_text("123456")
    assert read_file(file, listed) is None
    assert read_file(tmp_path / "b", listed) is None


@given(st.lists(st.integers(0, 50), max_size=8))
def test_a_bunch_fits_the_budget_or_is_a_single_file(sizes: list[int]) -> None:
    files = [(str(index), Version(size, 0)) for index, size in enumerate(sizes)]
    bunch = list(within(60, files))
    assert bunch == files[: len(bunch)]
    assert bool(bunch) == bool(files)
    assert sum(version.size for _, version in bunch) <= 60 or len(bunch) == 1


def test_the_ledger_keeps_what_was_written_and_forgets_what_was_removed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new")
    ledger.record({"a": Version(1, 2, b"x"), "b": Version(3, 4, b"y")})
    ledger.record({"a": Version(5, 6, b"z")}, removed=["b"])
    ledger.close()
    again = Ledger(tmp_path / "new")
    assert again.versions() == {"a": Version(5, 6, b"z")}
    again.close()
