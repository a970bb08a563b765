"""Deployers: they place the nodes of an execution plan. `local` runs them as tasks of this process."""
