"""Finding and importing the application's code: paths, reloading, and what is said when it cannot be had."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from langstream.agents.custom import code
from langstream.agents.custom.inspection import class_problem
from langstream.errors import AgentFailed


class Directory:
    """Application directories whose code is forgotten after the test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made: list[Path] = []

    def __call__(self, files: dict[str, str]) -> Path:
        """An application with these files below `python`."""
        directory = self.root / f"app{len(self.made)}"
        self.made.append(directory)
        self.write(directory, files)
        return directory

    @staticmethod
    def write(directory: Path, files: dict[str, str]) -> None:
        """Write files below `python`."""
        for name, text in files.items():
            file = directory / "python" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    """A maker of applications."""
    maker = Directory(tmp_path)
    yield maker
    for made in maker.made:
        code.remove(made)


def refusal(name: str, directory: Path | None) -> str:
    """Why the class cannot be loaded."""
    with pytest.raises(AgentFailed) as caught:
        code.load_class(name, directory)
    assert caught.value.retryable is False
    return str(caught.value)


def test_modules_packages_and_libraries_are_found(directory: Directory) -> None:
    app = directory(
        {
            "shop/__init__.py": "",
            "shop/pricing/rules.py": "from vendored_math import halve\nfrom .more import twice\nclass Discount: pass\n",
            "shop/pricing/more.py": "def twice(n): return n * 2\n",
            "lib/vendored_math.py": "def halve(n): return n // 2\n",
        }
    )
    assert code.load_class("shop.pricing.rules.Discount", app).__module__ == "shop.pricing.rules"


def test_a_file_name_with_a_dash_works(directory: Directory) -> None:
    assert code.load_class("my-agents.Agent", directory({"my-agents.py": "class Agent: pass\n"})).__name__ == "Agent"


def test_a_class_may_come_from_an_installed_package(directory: Directory) -> None:
    assert code.load_class("json.JSONDecoder", directory({})) is json.JSONDecoder
    assert code.load_class("json.JSONDecoder", None) is json.JSONDecoder


def test_importing_leaves_no_bytecode_in_the_application(directory: Directory) -> None:
    app = directory({"quiet.py": "class Agent: pass\n"})
    code.load_class("quiet.Agent", app)
    assert not list(app.rglob("__pycache__"))


def test_a_change_of_the_same_size_in_the_same_second_is_picked_up(directory: Directory) -> None:
    app = directory({"mine.py": "import part\nclass Agent:\n    n = part.N\n", "part.py": "N = 1\n"})
    assert vars(code.load_class("mine.Agent", app))["n"] == 1
    directory.write(app, {"part.py": "N = 2\n"})
    assert vars(code.load_class("mine.Agent", app))["n"] == 1
    code.forget(app)
    assert vars(code.load_class("mine.Agent", app))["n"] == 2


def test_forgetting_keeps_the_libraries_and_everything_else(directory: Directory) -> None:
    app = directory({"mine.py": "import kept\nclass Agent: pass\n", "lib/kept.py": "", "space/inner.py": ""})
    code.load_class("mine.Agent", app)
    importlib.import_module("space.inner")
    code.forget(app)
    assert not {"mine", "space", "space.inner"} & sys.modules.keys()
    assert {"kept", "json"} <= sys.modules.keys()
    del sys.modules["kept"]


def test_two_applications_with_modules_of_one_name_get_their_own(directory: Directory) -> None:
    one = directory({"mine.py": "import part\nclass Agent: n = part.N\n", "part.py": "N = 1\n"})
    two = directory({"mine.py": "import part\nclass Agent: n = part.N\n", "part.py": "N = 2\n"})
    numbers = [vars(code.load_class("mine.Agent", app))["n"] for app in (one, two, one)]
    assert numbers == [1, 2, 1]


def test_removing_an_application_leaves_no_trace_on_the_search_path(directory: Directory) -> None:
    before = (list(sys.path), list(sys.meta_path))
    app = directory({"mine.py": "class Agent: pass\n"})
    code.load_class("mine.Agent", app)
    assert sys.path[:2] == [str(app / "python"), str(app / "python" / "lib")]
    code.remove(app)
    assert (sys.path, sys.meta_path) == before


def test_a_missing_module_is_named_with_its_file_and_a_near_one(directory: Directory) -> None:
    app = directory({"feeds.py": ""})
    assert refusal("feed.Feed", app) == (
        "cannot import 'feed.Feed': there is no module 'feed' (python/feed.py). Did you mean 'feeds'?"
    )


def test_a_missing_library_is_named_with_the_line_that_wants_it(directory: Directory) -> None:
    app = directory({"feed.py": "import os\nimport no_such_library.part\n"})
    assert refusal("feed.Feed", app) == (
        "cannot import 'feed.Feed': ModuleNotFoundError: No module named 'no_such_library' (python/feed.py, line 2). "
        "Put the library that has 'no_such_library' into python/lib, or install it."
    )


def test_a_syntax_error_is_told_with_its_line(directory: Directory) -> None:
    message = refusal("feed.Feed", directory({"feed.py": "x = 1\nclass Feed\n"}))
    assert "SyntaxError: expected ':' (python/feed.py, line 2)" in message


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero (python/part.py, line 2)"),
        ("import sys; sys.exit(4)", "SystemExit: 4 (python/part.py, line 2)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt (python/part.py, line 2)"),
    ],
)
def test_a_failure_while_importing_is_told_with_the_innermost_line(
    directory: Directory, statement: str, told: str
) -> None:
    app = directory({"feed.py": "import part\n", "part.py": f"\n{statement}\n"})
    assert refusal("feed.Feed", app) == f"cannot import 'feed.Feed': {told}"


def test_a_missing_class_is_told_with_a_near_one(directory: Directory) -> None:
    app = directory({"feed.py": "class Feeder: pass\nclass Other: pass\n"})
    assert refusal("feed.Feed", app).endswith("has no class 'Feed'. Did you mean 'feed.Feeder'?")
    assert refusal("feed.Xyz", app).endswith("It has: Feeder, Other.")


def test_what_is_no_class_is_refused(directory: Directory) -> None:
    assert refusal("feed.Feed", directory({"feed.py": "def Feed(): pass\n"})) == (
        "cannot use 'feed.Feed': it is a function, expected a class"
    )


def test_a_file_hidden_by_a_module_of_python_is_told(directory: Directory) -> None:
    app = directory({"json.py": "class Agent: pass\n"})
    assert "python/json.py is hidden by another module 'json' that is loaded already. Rename the file." in refusal(
        "json.Agent", app
    )


@pytest.mark.parametrize(
    ("name", "files", "told"),
    [
        ("feed.Feed", {"feed.py": "class Feed: pass\n"}, None),
        ("feed.Feed", {"feed.py": "from other import Feed\n"}, None),
        ("feed.Feed", {"feed.py": "if True:\n    Feed = make()\n"}, None),
        ("feed.Feed", {"feed.py": "globals()['Fe' + 'ed'] = 1\n"}, None),
        ("feed.Feed", {"feed.py": "from other import *\n"}, None),
        ("feed.Feed", {"feed/__init__.py": "class Feed: pass\n"}, None),
        ("feed.Feed", {"lib/feed.py": "class Feed: pass\n"}, None),
        ("deep.er.Feed", {"deep/er.py": "class Feed: pass\n"}, None),
        ("deep.er.Feed", {"deep/er.so": ""}, None),
        ("json.JSONDecoder", {}, None),
        ("json.NoSuchClass", {}, None),
        ("feed.Feed", {}, "there is no module 'feed': neither python/feed.py nor an installed package"),
        ("deep.er.Feed", {"deep/es.py": ""}, "there is no module 'deep.er'"),
        ("feed.Feed", {"feed.py": "class Food: pass\n"}, "the module 'feed' (python/feed.py) has no class 'Feed'"),
        ("feed.Feed", {"feed.py": "class Feed\n"}, "python/feed.py, line 1: expected ':'"),
    ],
)
def test_a_class_that_cannot_be_there_is_found_out_without_running_anything(
    directory: Directory, name: str, files: dict[str, str], told: str | None
) -> None:
    problem = class_problem(name, directory(files))
    assert (problem is None) if told is None else (problem is not None and told in problem.message)


def test_looking_for_a_class_suggests_near_names(directory: Directory) -> None:
    app = directory({"feeds.py": "class Feeder: pass\n"})
    hints = [problem.hint for problem in (class_problem("feed.X", app), class_problem("feeds.Feed", app)) if problem]
    assert hints == ["Did you mean 'feeds'?", "Did you mean 'Feeder'?"]
