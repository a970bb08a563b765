"""How many files and sockets the process may have open.

Many systems allow a program 1,024 unless it asks for more. A thousand chat sessions, each with a connection of its own
and one to a model server, need twice as many.
"""

from __future__ import annotations

from typing import Final

ENOUGH: Final = 65_536


def allow_many_connections() -> None:
    """Ask for as many as the system grants without privileges, up to `ENOUGH`. Never lowers the limit."""
    try:
        import resource
    except ImportError:  # a system without such limits
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= ENOUGH:
        return
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(ENOUGH, hard)
    for limit in (wanted, 10_240):  # some systems refuse more than that whatever the hard limit says
        if limit > soft:
            try:
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return
            except (ValueError, OSError):
                continue
