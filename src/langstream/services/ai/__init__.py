"""AI services, one module per provider."""
