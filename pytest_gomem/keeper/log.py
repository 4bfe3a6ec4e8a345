"""Owns the last megabytes of what a service wrote."""

from __future__ import annotations

from collections import deque


class LogTail:
    """Bytes of the log, addressed by their offset since the start; the oldest go when `limit` is exceeded."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._chunks: deque[bytes] = deque()
        self._first = 0
        self.end = 0

    def append(self, chunk: bytes) -> None:
        """Add to the end."""
        if not chunk:
            return
        self._chunks.append(chunk)
        self.end += len(chunk)
        while len(self._chunks) > 1 and self.end - self._first - len(self._chunks[0]) >= self._limit:
            self._first += len(self._chunks.popleft())

    def since(self, offset: int) -> bytes:
        """What was written from `offset` on, as far as it is still kept."""
        kept = b"".join(self._chunks)
        return kept[max(0, offset - self._first) :]
