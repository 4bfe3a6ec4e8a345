"""Owns `python -m pytest_gomem.pprof top|diff`, the commands without the rest of `gomem` around them."""

from __future__ import annotations

import sys

from pytest_gomem.pprof import commands

if __name__ == "__main__":
    named = {"top": commands.top, "diff": commands.diff}
    if len(sys.argv) < 2 or sys.argv[1] not in named:
        sys.exit("usage: python -m pytest_gomem.pprof top|diff ...")
    sys.exit(named[sys.argv[1]](sys.argv[2:]))
