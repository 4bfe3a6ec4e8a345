"""The text form of a heap profile."""

from __future__ import annotations

import math

import pytest

from pytest_gomem.pprof.aggregate import aggregate
from pytest_gomem.pprof.model import ProfileError
from pytest_gomem.pprof.read import parse_profile

# As go1.26 writes it, cut down to three samples.
TEXT = """heap profile: 3: 3080 [5: 5128] @ heap/8192
1: 2048 [1: 2048] @ 0x4a1b2c 0x4a1c3d 0x43f0e7 0x46f0a1
#	0x4a1b2b	main.leak+0x2b\t\t/src/main.go:14
#	0x4a1c3c	main.main+0x1c\t/src/main.go:20
#	0x43f0e6	runtime.main+0x286	/go/src/runtime/proc.go:283

2: 1032 [2: 1032] @ 0x4a1b99 0x4a1c3d
#	0x4a1b98	main.(*T).inlined+0x18\t/src/t.go:7
#	0x4a1b98	main.keep+0x18\t\t/src/main.go:30
#	0x4a1c3c	main.main+0x1c\t\t/src/main.go:21

0: 0 [2: 2048] @ 0x1234 0x4a1c3d

# runtime.MemStats
# Alloc = 123
"""


def test_samples_are_scaled_up_and_named():
    """Values are estimates of all allocations, as in the binary form, and frames those of the comments."""
    made = parse_profile(TEXT.encode())
    rows = {row.frame.function: (row.flat, row.cum) for row in aggregate(made, "alloc_space").rows}
    leak = int(2048 / -math.expm1(-2048 / 4096))
    inlined = int(1032 / -math.expm1(-516 / 4096))
    assert rows["main.leak"] == (leak, leak)
    assert rows["main.(*T).inlined"] == (inlined, inlined)
    assert rows["main.keep"] == (0, inlined)
    assert rows["main.main"] == (0, leak + inlined)
    assert rows["<unknown>"][0] == int(2048 / -math.expm1(-1024 / 4096))
    assert (made.period, made.period_type.type) == (4096, "space")


def test_the_default_is_what_is_in_use():
    """Freed memory is in the allocated values alone."""
    table = aggregate(parse_profile(TEXT.encode()), by="line")
    assert table.sample_type == "inuse_space"
    assert {str(row.frame) for row in table.rows if row.flat} == {
        "main.leak /src/main.go:14",
        "main.(*T).inlined /src/t.go:7",
    }


def test_a_rate_of_one_is_not_scaled():
    """Where every allocation is recorded, the figures are exact."""
    made = parse_profile(TEXT.replace("heap/8192", "heap/2").encode())
    assert sum(made.values[1]) == 5128


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEXT.partition("# runtime")[0], "cut short"),
        (TEXT.replace("2: 1032 [2", "2: x [2"), "line 7 is not a heap sample"),
        ("heap profile: nonsense\n", "text form of another profile"),
        ("threadcreate profile: total 7\n7 @\n", "text form of another profile .'threadcreate profile"),
    ],
)
def test_a_torn_text_is_refused(text, says):
    """What does not follow the form, and a text without its end, is an error that says where."""
    with pytest.raises(ProfileError, match=says):
        parse_profile(text.encode())
