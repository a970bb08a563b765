"""One bucket of every kind of store, for the contract suite."""

from __future__ import annotations

from tests.services.objects.fixtures import azure_address, bench, google, google_address, s3_address

__all__ = ["azure_address", "bench", "google", "google_address", "s3_address"]
