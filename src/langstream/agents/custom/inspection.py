"""Looking at an application's Python code without running it, so that a wrong `className` is refused at plan time.

Says nothing where it cannot be sure: modules may be installed, generated, or fill their names at run time.
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from langstream.configuration.validation import did_you_mean

DYNAMIC = ("globals(", "setattr(", "exec(", "__getattr__", "import *")
"""Texts that betray names which no parser sees."""


@dataclass(frozen=True, slots=True)
class ClassProblem:
    """Why a class cannot be there, and what to do."""

    message: str
    hint: str | None = None


def class_problem(name: str, directory: Path, *, noun: str = "class") -> ClassProblem | None:
    """The reason for which importing the class (or the function, by that noun) must fail, or None."""
    module, _, attribute = name.rpartition(".")
    top = module.partition(".")[0]
    for root in (directory / "python", directory / "python" / "lib"):
        if _offers(root, top):
            file = module_file(root, module)
            if file is None:
                return _missing_module(module, root) if not _is_folder(root, module) else None
            return _missing_member(module, attribute, file, directory, noun)
    if _installed(top):
        return None
    return _missing_module(module, directory / "python")


def module_file(root: Path, module: str) -> Path | None:
    """The source file of a module below a root, or None."""
    place = root.joinpath(*module.split("."))
    for candidate in (place / "__init__.py", place.parent / f"{place.name}.py"):
        if candidate.is_file():
            return candidate
    return None


def top_level_names(root: Path) -> frozenset[str]:
    """The modules and packages directly below a folder."""
    if not root.is_dir():
        return frozenset()
    return frozenset(
        entry.name.split(".")[0]
        for entry in root.iterdir()
        if entry.suffix in (".py", ".so", ".pyd") or (entry.is_dir() and entry.name.isidentifier())
    )


def _offers(root: Path, top: str) -> bool:
    return (root / f"{top}.py").is_file() or (root / top).is_dir()


def _is_folder(root: Path, module: str) -> bool:
    return root.joinpath(*module.split(".")).is_dir() or any(root.glob(f"{module.replace('.', '/')}.*"))


def _installed(top: str) -> bool:
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _missing_module(module: str, root: Path) -> ClassProblem:
    path = f"python/{module.replace('.', '/')}.py"
    known = sorted(
        ".".join(file.relative_to(root).with_suffix("").parts)
        for file in root.rglob("*.py")
        if "lib" not in file.relative_to(root).parts[:1]
    )
    hint = did_you_mean(module, known) or f"Create {path}, or correct the name."
    return ClassProblem(f"there is no module '{module}': neither {path} nor an installed package has that name.", hint)


def _missing_member(module: str, attribute: str, file: Path, directory: Path, noun: str) -> ClassProblem | None:
    shown = file.relative_to(directory).as_posix()
    try:
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source, shown)
    except SyntaxError as error:
        return ClassProblem(f"{shown}, line {error.lineno}: {error.msg}.", "The file is not valid Python.")
    except (ValueError, OSError):
        return None  # another encoding, or unreadable here: the import will tell
    if any(text in source for text in DYNAMIC):
        return None
    if attribute in _bound_names(tree):
        return None
    kinds = ast.ClassDef if noun == "class" else ast.FunctionDef | ast.AsyncFunctionDef
    names = [node.name for node in ast.walk(tree) if isinstance(node, kinds)]
    hint = did_you_mean(attribute, names) or (f"It has {', '.join(names)}." if names else f"It has no {noun}.")
    return ClassProblem(f"the module '{module}' ({shown}) has no {noun} '{attribute}'.", hint)


def _bound_names(tree: ast.Module) -> set[str]:
    """Every name bound anywhere in the file: more than the module has, never less."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names
