"""What went wrong with the file, told to people: which file, why, what to do."""

from __future__ import annotations

from pathlib import Path

from langstream.errors import BrokerUnavailable, RecordError


def explain(error: Exception, path: Path, max_bytes: int | None = None) -> Exception:
    """The error of the family for an error of SQLite or of the operating system; others stay what they are."""
    import apsw

    if not isinstance(error, apsw.Error | OSError):
        return error
    if isinstance(error, apsw.FullError):
        limit = f" or the topics reached their limit (max-bytes: {max_bytes})" if max_bytes else ""
        reason = f"the disk is full{limit}; free space, or shorten the retention of topics"
    elif isinstance(error, apsw.BusyError | apsw.LockedError):
        reason = "another program keeps the file locked; end it, or wait until it is done"
    elif isinstance(error, apsw.TooBigError):
        return RecordError(f"{path}: a record is larger than the log can keep (1 GB)")
    elif isinstance(error, apsw.NotADBError | apsw.CorruptError):
        reason = (
            f"the file is damaged ({error}); stop LangStream, move the file away together with its -wal and -shm "
            "files, and restore a backup"
        )
    elif isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError | apsw.AuthError | PermissionError):
        reason = "the file or its directory is not writable; check owner and permissions"
    elif isinstance(error, apsw.CantOpenError | FileNotFoundError | NotADirectoryError | FileExistsError):
        reason = f"the file cannot be opened ({error}); check that the directory exists and is writable"
    elif isinstance(error, apsw.IOError):
        reason = (
            f"reading or writing failed ({error}); check the disk, its free space and quotas, and that the directory "
            "is still there"
        )
    else:
        reason = f"{error}"
    return BrokerUnavailable(f"the topics in {path} are not available: {reason}")
