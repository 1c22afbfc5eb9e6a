"""grpcurl, as users run it."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

from harness.build import binary


class Output(NamedTuple):
    """Its output and exit code (for a gRPC error: 64 + the status)."""

    code: int
    stdout: str
    stderr: str


def grpcurl(*arguments: str, plaintext: bool = True, timeout: float = 20.0) -> Output:
    """`grpcurl [-plaintext] ARGUMENTS`."""
    options = ["-plaintext"] if plaintext else []
    done = subprocess.run(
        [str(binary("grpcurl")), *options, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return Output(done.returncode, done.stdout, done.stderr)
