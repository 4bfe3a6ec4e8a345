"""Owns the work and the budgets that the good and the bad versions share, where gomem.yaml does not hold them."""

from __future__ import annotations

import pytest

BODY = b"x" * (2 << 20)

upload = pytest.mark.gomem(peak_rss="25MB", alloc_bytes_per_op="100kB")
# Without a further round that looks for the cause: it is that of test_logs, and demo.py should not take long.
trend = pytest.mark.gomem(time_to_limit={"min": "10min", "limit": "256MiB"}, diagnose=False)
encode = pytest.mark.gomem(alloc_bytes_per_op="100kB", total_alloc="50MB")
