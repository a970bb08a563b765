"""The bound of a command line: import click, print a line."""

from __future__ import annotations

import click

click.echo("hello")
