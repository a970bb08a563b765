"""Data stores, one module per store."""
