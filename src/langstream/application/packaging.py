"""An application's directory as one archive, as it is sent to a control plane.

The archive of the same files is the same, byte for byte: names sorted, times fixed.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Final

from langstream.application.ignore import Ignored, files_of

_TIME: Final = (1980, 1, 1, 0, 0, 0)


def package(directory: Path) -> bytes:
    """A zip of every file that `.langstreamignore` does not leave out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files_of(directory, Ignored.of(directory)):
            entry = zipfile.ZipInfo(path, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = ((directory / path).stat().st_mode & 0o755 | 0o600) << 16
            archive.writestr(entry, (directory / path).read_bytes())
    return buffer.getvalue()
