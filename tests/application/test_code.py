"""Digests tell whether code changed; archives carry what is not ignored."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from langstream.application.digest import directory_digest
from langstream.application.ignore import Ignored
from langstream.application.packaging import package


def _write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)


def test_the_digest_of_python_code_covers_paths_and_contents_in_order(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {
            "python/asubdir/script2.py": "print('hello world3')",
            "python/script.py": "print('hello world')",
            "python/script2.py": "print('hello world2')",
            "pipeline.yaml": "",
        },
    )
    expected = "f4b3d77c3886ece4247c9547f46491dedfa0650dde553cbbc4df05601688e329"
    assert directory_digest(tmp_path, "python", Ignored()) == expected
    assert directory_digest(tmp_path, "java/lib", Ignored()) is None


def test_the_digest_of_java_libraries(tmp_path: Path) -> None:
    _write(tmp_path, {"java/lib/my-jar-1.jar": "some bin content", "java/lib/my-jar-2.jar": "some bin content2"})
    expected = "589c0438a29fe804da9f1848b8c6ecb291a55f1e665b0f92a4d46929c09e117c"
    assert directory_digest(tmp_path, "java/lib", Ignored()) == expected


def test_without_files_there_is_no_digest(tmp_path: Path) -> None:
    (tmp_path / "python" / "empty").mkdir(parents=True)
    assert directory_digest(tmp_path, "python", Ignored()) is None


def test_ignored_files_do_not_count(tmp_path: Path) -> None:
    _write(tmp_path, {"python/a.py": "1"})
    before = directory_digest(tmp_path, "python", Ignored())
    _write(tmp_path, {"python/__pycache__/a.pyc": "x", "python/notes.txt": "x"})
    assert directory_digest(tmp_path, "python", Ignored("__pycache__/\n/python/notes.txt")) == before
    assert directory_digest(tmp_path, "python", Ignored("/python/")) is None


def test_an_archive_holds_what_is_not_ignored_and_is_always_the_same(tmp_path: Path) -> None:
    _write(tmp_path, {"pipeline.yaml": "a", "python/x.py": "b", "notes/n.txt": "c", ".langstreamignore": "notes/"})
    archive = package(tmp_path)
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.namelist() == [".langstreamignore", "pipeline.yaml", "python/x.py"]
        assert opened.read("python/x.py") == b"b"
    (tmp_path / "pipeline.yaml").touch()
    assert package(tmp_path) == archive
