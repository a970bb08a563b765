"""Clients of object stores: S3 and whatever speaks its protocol, Azure Blob Storage, Google Cloud Storage.

They speak the documented HTTP protocols themselves, for the sources need what the common client libraries leave out:
deleting an object only while it is still a known version, names of any form (`a//b`, `dir/`), exact stored bytes.
"""
