"""Owns what a service wrote: the first bytes, and the last megabytes."""

from __future__ import annotations

_FIRST = 1 << 16  # bytes: what a service says first names its version, its configuration and often what is amiss


class LogEnds:
    """Bytes of the log, addressed by their offset since the start: the `first`, and the last `limit`."""

    def __init__(self, limit: int, first: int = _FIRST) -> None:
        self._limit = limit
        self._first = first
        self._head = b""
        self._kept = bytearray()
        self.end = 0

    def append(self, chunk: bytes) -> None:
        """Add to the end."""
        self._head += chunk[: max(0, self._first - len(self._head))]
        self._kept += chunk
        self.end += len(chunk)
        # Cut rarely: each cut moves what stays.
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]

    def since(self, offset: int) -> bytes:
        """What was written from `offset` on, as far as it is still kept; a line stands in for what is not."""
        first = self.end - len(self._kept)
        begin = max(offset, self.end - self._limit)
        tail = bytes(self._kept[begin - first :])
        head = self._head[offset:begin]
        lost = begin - offset - len(head)
        return head + b"\n... %d bytes are left out here ...\n" % lost + tail if lost > 0 else head + tail
