"""Owns the last megabytes of what a service wrote."""

from __future__ import annotations


class LogTail:
    """Bytes of the log, addressed by their offset since the start; of more than `limit` of them the oldest go."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self.end = 0

    def append(self, chunk: bytes) -> None:
        """Add to the end."""
        self._kept += chunk
        self.end += len(chunk)
        # Cut rarely: each cut moves what stays.
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]

    def since(self, offset: int) -> bytes:
        """What was written from `offset` on, as far as it is still kept."""
        first = self.end - len(self._kept)
        return bytes(self._kept[max(offset, self.end - self._limit) - first :])
