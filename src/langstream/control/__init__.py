"""The control plane: what runs, and what is told about it."""
