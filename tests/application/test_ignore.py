"""`.langstreamignore` follows the rules of gitignore."""

from __future__ import annotations

from pathlib import Path

import pytest

from langstream.application.ignore import Ignored, files_of


@pytest.mark.parametrize(
    ("rules", "path", "ignored"),
    [
        ("*.log", "a.log", True),
        ("*.log", "deep/er/a.log", True),
        ("/a.log", "deep/a.log", False),
        ("/a.log", "a.log", True),
        ("deep/a.log", "deep/a.log", True),
        ("deep/a.log", "other/deep/a.log", False),
        ("**/a.log", "x/y/a.log", True),
        ("x/**/a.log", "x/a.log", True),
        ("x/**/a.log", "x/y/z/a.log", True),
        ("x/**", "x/y/z", True),
        ("***", "anything", False),
        ("*.log\n!keep.log", "keep.log", False),
        ("!keep.log\n*.log", "keep.log", True),
        ("# a.log", "# a.log", False),
        ("\\#a", "#a", True),
        ("\\!a", "!a", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("a[bc]d", "acd", True),
        ("a[!bc]d", "acd", False),
        ("*.{yaml,json}", "x.json", True),
        ("*.{yaml,json}", "x.txt", False),
        ("a  ", "a", True),
        ("a\\ ", "a ", True),
        ("a.b", "axb", False),
        ("", "a", False),
        ("dir/", "dir", False),
    ],
)
def test_rules_for_files(rules: str, path: str, ignored: bool) -> None:
    assert Ignored(rules)(path) is ignored


def test_a_trailing_slash_means_directories() -> None:
    assert Ignored("dir/")("dir", directory=True)


def test_files_come_depth_first_sorted_and_ignored_directories_are_not_entered(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.txt", "a/b/c.txt", "a.txt", "skipped/keep.txt", ".hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".langstreamignore").write_text("skipped/\n!skipped/keep.txt\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(files_of(tmp_path, Ignored.of(tmp_path))) == [
        ".hidden",
        ".langstreamignore",
        "a/b/c.txt",
        "a/z.txt",
        "a.txt",
        "b.txt",
    ]
