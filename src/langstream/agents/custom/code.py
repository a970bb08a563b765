"""Importing an application's Python code, and forgetting it when it has changed.

The folders `python` and `python/lib` of the application are put first on the module search path. Files directly in
`python` are always compiled afresh: no `__pycache__` appears in the application, and no stale bytecode survives a
change. Modules belong to the process: where several applications share one, the last to be loaded owns a name.
"""

from __future__ import annotations

import importlib
import linecache
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from langstream.agents.custom.failures import description, place
from langstream.agents.custom.inspection import module_file, top_level_names
from langstream.configuration.validation import did_you_mean, near
from langstream.errors import AgentFailed

_IMPORTS = threading.RLock()  # sys.path and sys.modules belong to the process: one change at a time


class _FreshLoader(SourceFileLoader):
    """Compiles the source at every import; neither reads nor writes bytecode files."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class ApplicationFinder(MetaPathFinder):
    """Finds the modules of one application's `python` folder."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "python"
        self.library = self.root / "lib"

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec for the application's own source files; everything else is found as usual."""
        if path is None:
            path = [str(self.root)]
        elif not any(self.owns(entry) for entry in path):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader or not self.owns(spec.origin):
            return None
        spec.loader = _FreshLoader(spec.loader.name, spec.loader.path)
        return spec

    def owns(self, file: str | None) -> bool:
        """Whether the file is the application's own code (not a library of it)."""
        return file is not None and _beneath(file, self.root) and not _beneath(file, self.library)


def load_class(name: str, directory: Path | None) -> type:
    """The class, imported from the application or from an installed package. Raises AgentFailed with the reason."""
    module, attribute = _module_of(name, directory)
    found = getattr(module, attribute, None)
    if isinstance(found, type):
        return found
    raise _refused(_missing(module, name, attribute, directory))


def load_function(name: str, directory: Path | None) -> Callable[..., Any]:
    """The function, imported as classes are. Raises AgentFailed with the reason."""
    module, attribute = _module_of(name, directory)
    found: Any = getattr(module, attribute, None)
    if callable(found) and not isinstance(found, type):
        function: Callable[..., Any] = found
        return function
    if hasattr(module, attribute):
        raise _refused(f"cannot use '{name}': it is a {type(found).__name__}, expected a function")
    functions = sorted(item for item, value in vars(module).items() if callable(value) and not isinstance(value, type))
    guess = near(attribute, functions)
    advice = f"Did you mean '{module.__name__}.{guess}'?" if guess else f"It has: {', '.join(functions) or 'none'}."
    raise _refused(f"cannot use '{name}': the module '{module.__name__}' has no function '{attribute}'. {advice}")


def _module_of(name: str, directory: Path | None) -> tuple[ModuleType, str]:
    module_name, _, attribute = name.rpartition(".")
    if directory is not None:
        with _IMPORTS:  # not while importing: a module that hangs must not hold up other agents
            _put_first(directory)
    return _import(module_name, name, directory), attribute


def forget(directory: Path) -> None:
    """Drop the application's own modules, so that the next import reads its files again.

    Libraries below `python/lib` stay: compiled ones cannot be imported twice.
    """
    directory = directory.resolve()
    finder = ApplicationFinder(directory)
    with _IMPORTS:
        for name in [name for name, module in list(sys.modules.items()) if any(map(finder.owns, _files(module)))]:
            del sys.modules[name]
        importlib.invalidate_caches()
        linecache.checkcache()


def remove(directory: Path) -> None:
    """Forget the application and take its folders off the search path."""
    directory = directory.resolve()
    forget(directory)
    with _IMPORTS:
        sys.meta_path[:] = [finder for finder in sys.meta_path if not _belongs(finder, directory)]
        folders = {str(directory / "python"), str(directory / "python" / "lib")}
        sys.path[:] = [entry for entry in sys.path if entry not in folders]


def _put_first(directory: Path) -> None:
    root = directory / "python"
    folders = [str(root), str(root / "lib")]
    if sys.path[:2] != folders:
        sys.path[:] = folders + [entry for entry in sys.path if entry not in folders]
    others = [finder for finder in sys.meta_path if isinstance(finder, ApplicationFinder) and finder.root != root]
    own = next((finder for finder in sys.meta_path if _belongs(finder, directory)), ApplicationFinder(directory))
    sys.meta_path[:] = [own, *(finder for finder in sys.meta_path if finder is not own)]
    _evict(others, top_level_names(root) | top_level_names(root / "lib"))
    importlib.invalidate_caches()


def _evict(others: Sequence[ApplicationFinder], names: frozenset[str]) -> None:
    """Drop modules of other applications whose names this one has too."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in names and any(finder.owns(file) for finder in others for file in _files(module)):
            del sys.modules[name]


def _belongs(finder: object, directory: Path) -> bool:
    return isinstance(finder, ApplicationFinder) and finder.root == directory / "python"


def _files(module: ModuleType) -> Iterator[str]:
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        yield file
    else:  # namespace packages have folders only
        yield from (str(folder) for folder in getattr(module, "__path__", None) or ())


def _beneath(file: str, folder: Path) -> bool:
    return file == str(folder) or file.startswith(f"{folder}/")


def _import(module_name: str, name: str, directory: Path | None) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise _refused(_no_module(module_name, name, directory)) from None
        raise _refused(f"{_failed(name, error, directory)}. {_library_advice(missing)}") from None
    except BaseException as error:  # sys.exit at import must not end the process
        raise _refused(_failed(name, error, directory)) from error


def _refused(message: str) -> AgentFailed:
    refusal = AgentFailed(message)
    refusal.retryable = False
    return refusal


def _failed(name: str, error: BaseException, directory: Path | None) -> str:
    spot = place(error, directory)
    reason = f"{type(error).__name__}: {error.msg}" if isinstance(error, SyntaxError) else description(error)
    return f"cannot import '{name}': {reason}{f' ({spot})' if spot else ''}"


def _library_advice(missing: str) -> str:
    return f"Put the library that has '{missing.partition('.')[0]}' into python/lib, or install it."


def _no_module(module_name: str, name: str, directory: Path | None) -> str:
    path = f"python/{module_name.replace('.', '/')}.py"
    known = top_level_names(directory / "python") if directory else frozenset()
    guess = did_you_mean(module_name, known)
    return f"cannot import '{name}': there is no module '{module_name}' ({path}). {guess or 'Correct className.'}"


def _missing(module: ModuleType, name: str, attribute: str, directory: Path | None) -> str:
    if hasattr(module, attribute):
        return f"cannot use '{name}': it is a {type(getattr(module, attribute)).__name__}, expected a class"
    if directory is not None:
        hidden = module_file(directory / "python", module.__name__)
        if hidden is not None and not any(_beneath(file, directory) for file in _files(module)):
            return (
                f"cannot use '{name}': {hidden.relative_to(directory).as_posix()} is hidden by another module "
                f"'{module.__name__}' that is loaded already. Rename the file."
            )
    classes = sorted(item for item, value in vars(module).items() if isinstance(value, type))
    guess = near(attribute, classes)
    advice = f"Did you mean '{module.__name__}.{guess}'?" if guess else f"It has: {', '.join(classes) or 'no class'}."
    return f"cannot use '{name}': the module '{module.__name__}' has no class '{attribute}'. {advice}"
