"""When an answer is complete. An answer is one record, or a stream of chunks marked by headers."""

from __future__ import annotations

from typing import Final

from langstream.gateway.delivery import Delivery

STREAM_ID: Final = "stream-id"
LAST: Final = "stream-last-message"
CANCELLED: Final = "stream-cancelled"


class Answer:
    """Follows one answer: the first record without stream headers, or the first stream up to its last chunk."""

    def __init__(self) -> None:
        self._streaming = False
        self._stream: str | None = None

    def completed_by(self, delivery: Delivery) -> bool:
        """Whether nothing of the answer comes after this record."""
        last = delivery.header(LAST)
        if last is None:
            return not self._streaming
        stream = delivery.header(STREAM_ID)
        if delivery.header(CANCELLED) is not None:  # asked before by somebody who left: this client is here
            self._streaming = self._streaming and stream != self._stream
            return False
        if not self._streaming:
            self._streaming, self._stream = True, stream
        return last == "true" and stream == self._stream
