"""Java servers from published artifacts: fetched once by Maven into a folder of the user's cache, run on loopback."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers.kafka import _end_with_parent

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
QUIET = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true")


@dataclass(frozen=True)
class Artifacts:
    """What a server is made of. `coordinates` are `group:artifact:version`, `archives` zip files as well."""

    name: str
    version: str
    coordinates: tuple[str, ...]
    pinned: tuple[str, ...] = ()
    """Versions that go before those the artifacts ask for."""
    archives: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    """Repositories, by id, that dependencies name and that may be out of reach: an empty folder stands for them."""
    java: int = 17

    def missing(self) -> str | None:
        """Why the server cannot be started here, or None."""
        java = shutil.which("java")
        if java is None:
            return "Java is not installed"
        told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
        found = re.search(r'version "(\d+)', told)
        if found is None or int(found[1]) < self.java:
            return (
                f"{self.name} {self.version} needs Java {self.java}; this is {told.partition(chr(10))[0] or 'unknown'}"
            )
        if not self.folder().is_dir() and shutil.which("mvn") is None:
            return f"Maven is not installed, which fetches {self.name} the first time"
        return None

    def folder(self) -> Path:
        """Where the files are kept."""
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return Path(cache) / "langstream-tests" / f"{self.name}-{self.version}"

    def fetched(self) -> Path:
        """The folder with the files, fetched if this is the first time."""
        folder = self.folder()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                self._fetch(folder)
        return folder

    def _fetch(self, folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            (Path(work) / "empty").mkdir()
            (Path(work) / "pom.xml").write_text(self._pom((Path(work) / "empty").as_uri()))
            target = f"-DoutputDirectory={work}/files"
            self._maven(work, f"{PLUGIN}:copy-dependencies", "-DincludeScope=runtime", target)
            for archive in self.archives:
                self._maven(work, f"{PLUGIN}:copy", f"-Dartifact={archive}:zip", target)
            (Path(work) / "files").rename(folder)

    def _maven(self, work: str, *arguments: str) -> None:
        done = subprocess.run(["mvn", "-q", "-B", *arguments], cwd=work, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Maven could not fetch {self.name} {self.version}:\n{done.stdout}{done.stderr}")

    def _pom(self, empty: str) -> str:
        unused = (f"<repository><id>{name}</id><url>{empty}</url></repository>" for name in self.unused)
        return f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>langstream</groupId><artifactId>{self.name}-for-tests</artifactId><version>1</version>
  <repositories>{"".join(unused)}</repositories>
  <dependencyManagement><dependencies>{"".join(map(_dependency, self.pinned))}</dependencies></dependencyManagement>
  <dependencies>{"".join(map(_dependency, self.coordinates))}</dependencies>
</project>
"""


def _dependency(coordinates: str) -> str:
    group, artifact, version = coordinates.split(":")
    return (
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        "</dependency>"
    )


class JavaServer:
    """One process, with its output in a file. It does not outlive the process that started it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, arguments: Sequence[str], ready: Callable[[], bool], seconds: float = 240) -> None:
        """Start it; ready when this returns."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["java", *QUIET, *arguments],
                stdout=log, stderr=log, cwd=self.directory, start_new_session=True, preexec_fn=_end_with_parent,
            )  # fmt: skip
        deadline = time.monotonic() + seconds
        while not ready():
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.name} stopped:\n{self.log()[-6000:]}")
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.name} did not start in {seconds:g} s:\n{self.log()[-6000:]}")
            time.sleep(0.1)

    def log(self) -> str:
        """What it wrote."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """End it, without ceremony: the data is not needed any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
