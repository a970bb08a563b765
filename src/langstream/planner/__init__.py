"""From an application to its execution plan."""
