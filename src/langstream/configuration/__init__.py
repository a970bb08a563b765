"""Declared option models: one declaration gives validation with positions, schema, documentation and completion."""
