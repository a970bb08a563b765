"""Built-in agents of the family named by the package."""
