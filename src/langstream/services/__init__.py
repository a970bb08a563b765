"""Clients of outside systems: AI services, data stores."""
