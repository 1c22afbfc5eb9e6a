"""Whether the grpcdns that is installed for this Python works: it says how its modules run, serves
the examples and answers.

    python -P tools/try_installed.py compiled|python examples/cluster

Cibuildwheel runs it on each wheel of a release, in an environment with nothing else in it, and the
tests on theirs. Imports only the standard library.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

NAME: Final = "xecho.default.svc.cluster.local"
ADDRESS: Final = "10.96.49.52"
SECONDS: Final = 120
"""For the first answer."""


def grpcdns(*words: str) -> list[str]:
    """The command of this Python's environment."""
    return [str(Path(sys.executable).with_name("grpcdns")), *words]


def output(*words: str) -> str:
    run = subprocess.run(grpcdns(*words), capture_output=True, text=True, timeout=60)
    return run.stdout.strip()


def answer(manifests: str, folder: str) -> str:
    """The address that `serve` answers with; "" if it ended or did not answer in time."""
    server = f"unix://{folder}/0.sock"
    words = ["serve", f"--manifests={manifests}", f"--listen={server}", "--upstream=none"]
    with subprocess.Popen(grpcdns(*words)) as serving:
        try:
            end = time.monotonic() + SECONDS
            while serving.poll() is None and time.monotonic() < end:
                if found := output("query", NAME, f"--server={server}", "--short"):
                    return found
            return ""
        finally:
            serving.terminate()


def main(argv: list[str]) -> int:
    kind, manifests = argv
    version = output("--version")
    with tempfile.TemporaryDirectory() as folder:
        found = answer(manifests, folder)
    print(f"{version}, {NAME} {found}")
    return 0 if version.endswith(f" ({kind})") and found == ADDRESS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
