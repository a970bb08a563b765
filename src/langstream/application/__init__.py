"""The model of an application, and the loader that makes it from files."""
