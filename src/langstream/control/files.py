"""Where an application is declared, and the plan its files make. Imports nothing of what runs an application."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from langstream.planner.check import load_and_plan
from langstream.planner.plan import ExecutionPlan


@dataclass(frozen=True, slots=True)
class ApplicationFiles:
    """Where an application is declared. `data_directory` None keeps everything in memory."""

    application_id: str
    directory: Path
    instance: Path | None = None
    secrets: Path | None = None
    tenant: str = "default"
    data_directory: Path | None = None
    only_agent: str | None = None

    def plan(self) -> ExecutionPlan:
        """Read the files. Raises ApplicationRefused."""
        return load_and_plan(
            self.directory, self.application_id, instance=self.instance, secrets=self.secrets, tenant=self.tenant
        )
