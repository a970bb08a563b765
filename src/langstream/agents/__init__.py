"""The built-in agents by family, and how an agent type is declared."""
