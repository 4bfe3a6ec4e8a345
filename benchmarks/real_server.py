"""Shows that the first three holders of a real server are what its code says: nats-server, with streams and clients.

A memory stream of JetStream keeps 2000 orders of 8 kB, and 200 clients have 50 subscriptions each (real_server/). By
the server's code (v2.12.2):

- memstore.go: `memStore.msgs` is the map of the messages of a stream, each a StoreMsg with a buffer of its own;
- sublist.go: `Sublist` of an account has a level and a node for each token of each subject;
- client.go: `client` has a map of its subscriptions, and the loops that read and write are goroutines of its own.

No global holds any of them: the server is a local of its goroutines. So each of the first three holders must pass
through one of these types, the messages first, and have its figures. The module comes from the module proxy.

    python benchmarks/real_server.py [--show]
    python benchmarks/real_server.py --small    the same, for CI

--show: print all holders.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import MB, Project, mb, table, verdict, workshop

FOLDER = Path(__file__).parent / "real_server"
MODULE, VERSION = "github.com/nats-io/nats-server/v2", "v2.12.2"
GO_MOD = f"module example.com/queue\n\ngo 1.24\n\nrequire {MODULE} {VERSION}\n"
YAML = """version: 1
services:
  nats:
    build: .
    args: ["-a", "127.0.0.1", "-p", "{port}", "-js", "-sd", "{tmp}/jetstream"]
    ready: {log: "Server is ready", timeout: 60s}
"""


@dataclass(frozen=True)
class Expected:
    """What a holder must be: types on its path, how many of the last one, and what they retain at the least, bytes."""

    what: str
    types: str
    count: int
    least: float


# A message has its buffer of 8000 bytes and its subject; a subscription two nodes with their maps in a list of its own.
HOLDERS = (
    Expected("the messages of the stream", r"server\.StoreMsg$", 2000, 16 * MB),
    Expected("the subjects of the subscriptions", r"server\.(Sublist|level|node)$", 1, 1 * MB),
    Expected("the clients and their subscriptions", r"server\.(client|subscription)$", 200, 1 * MB),
)


def is_as_expected(holder: Mapping[str, Any], expected: Expected) -> bool:
    """Whether a holder is what the code says."""
    return holder["retained"] >= expected.least and any(
        re.search(expected.types, step["type"]) and step["count"] >= expected.count for step in holder["path"]
    )


def measured(folder: Path) -> Any:
    """The holders that `service.retention()` finds."""
    project = Project(folder, (FOLDER / "test_it.py").read_text(), YAML)
    (folder / "main.go").write_text((FOLDER / "main.go").read_text())
    (folder / "go.mod").write_text(GO_MOD)

    subprocess.run(["go", "list", "-mod=mod", "-deps", "."], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    project.passed()
    return project.figures()


def main() -> int:
    """Fill, ask, compare; 1 where the code says otherwise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print all holders")
    parser.add_argument("--small", action="store_true", help="the same, for CI")
    given = parser.parse_args()
    with workshop() as folder:
        found = measured(folder / "nats")
    rows, missed, left = [], [], list(HOLDERS)
    for number, holder in enumerate(found["holders"][:3], 1):
        names = [expected for expected in left if is_as_expected(holder, expected)]
        what = names[0].what if names and (number > 1 or names[0] is HOLDERS[0]) else "NOT WHAT THE CODE SAYS"
        left = [expected for expected in left if expected.what != what]
        path = " -> ".join(f"{step['type'].rpartition('/')[2]} x {step['count']}" for step in holder["path"])
        rows.append((number, what, mb(holder["retained"]), f"{holder['share']:.0%}", path))
    missed += [f"{expected.what} are not among the first three" for expected in left]
    table(f"nats-server {VERSION}, {mb(found['bytes'])} live", ("holder", "what", "retained", "share", "path"), rows)
    print(f"objects whose type is known: {found['typed']:.1%}")
    if given.show:
        for holder in found["holders"]:
            print(holder["root"], "; ".join(holder["roots"]), holder["path"], holder["sites"], sep="\n  ")
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
