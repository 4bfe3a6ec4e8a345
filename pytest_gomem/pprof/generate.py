"""Writes profile_pb2.py and its .pyi from profile.proto: `python -m pytest_gomem.pprof.generate`.

A developer's tool: it needs grpcio-tools, any release, for the protoc in it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2

HERE = Path(__file__).parent
STUB_HEADER = "# ruff: noqa\n# mypy: disable-error-code=type-arg\n# fmt: off\n"
MODULE = '''"""The message classes of profile.proto, made by `python -m pytest_gomem.pprof.generate`."""

from pytest_gomem.pprof.protobuf import message_classes

# fmt: off
FILE = (
{literal}
)
# fmt: on

globals().update(message_classes(FILE))
'''


def main() -> None:
    """Write both files next to profile.proto; raises CalledProcessError if protoc refuses it."""
    with tempfile.TemporaryDirectory() as folder:
        descriptors = Path(folder, "descriptors")
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{HERE}"]
        outputs = [f"--descriptor_set_out={descriptors}", f"--pyi_out={HERE}"]
        subprocess.run([*protoc, *outputs, "profile.proto"], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.read_bytes())
    file = files.file[0].SerializeToString()
    lines = [f"    {file[at : at + 24]!r}" for at in range(0, len(file), 24)]
    stub = HERE / "profile_pb2.pyi"
    stub.write_text(STUB_HEADER + stub.read_text())
    HERE.joinpath("profile_pb2.py").write_text(MODULE.format(literal="\n".join(lines)))


if __name__ == "__main__":
    main()
