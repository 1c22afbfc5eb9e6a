"""Generates ``grpcdns/pb`` from ``proto/dns.proto``: ``make proto``.

``python proto/generate.py [FOLDER]`` writes into FOLDER (default: the committed package). The proto
file is called ``dns.proto``, as CoreDNS calls it, because server reflection shows that name. protoc
then imports its output as a top-level module; that line is changed to an absolute import.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
PACKAGE = PROTO.parent / "grpcdns" / "pb"
FILES = ("dns_pb2.py", "dns_pb2.pyi", "dns_pb2_grpc.py")


def generate(folder: Path) -> None:
    """Writes FILES into ``folder``. Exits with protoc's message when it fails."""
    arguments = [f"--{kind}_out={folder}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(["protoc", f"-I{PROTO}", *arguments, str(PROTO / "dns.proto")]) != 0:
        sys.exit("proto/generate.py: protoc failed")
    stub = folder / "dns_pb2_grpc.py"
    text = stub.read_text()
    fixed = text.replace("import dns_pb2 as", "from grpcdns.pb import dns_pb2 as")
    if fixed == text:
        sys.exit("proto/generate.py: dns_pb2_grpc.py does not import dns_pb2 as expected")
    stub.write_text(fixed)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE)
