"""Generates ``grpcdns/pb`` from ``proto/dns.proto``: ``make proto``.

``python proto/generate.py [FOLDER]`` writes into FOLDER (default: the committed package). The proto
file is called ``dns.proto``, as CoreDNS calls it, because server reflection shows that name. There
are no stubs: they would refuse every grpcio older than the grpcio-tools that wrote them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).resolve().parent
PACKAGE = PROTO.parent / "grpcdns" / "pb"
FILES = ("dns_pb2.py", "dns_pb2.pyi")


def generate(folder: Path) -> None:
    """Writes FILES into ``folder``. Exits with protoc's message when it fails."""
    arguments = [f"--{kind}_out={folder}" for kind in ("python", "pyi")]
    if protoc.main(["protoc", f"-I{PROTO}", *arguments, str(PROTO / "dns.proto")]) != 0:
        sys.exit("proto/generate.py: protoc failed")


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE)
