"""Names the base images of the Dockerfile by digest, as a registry has them now: ``make digests``.

    python -m tools.digests [--upgrade] [FILE]      default: the Dockerfile

`FROM python:3.11-slim` becomes `FROM python:3.11-slim@sha256:...`: the digest of the index, which
has every architecture. What has a digest keeps it; `--upgrade` takes the newest of its tag. Crane
asks the registry, with the credentials of `docker login`. Exits with 1 when it has no answer.

Imports only the standard library, so that it runs before anything is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from harness.build import Unavailable, binary, last_lines
from harness.paths import ROOT

DOCKERFILE: Final = ROOT / "Dockerfile"
_FROM: Final = re.compile(
    r"^(?P<word>FROM (?:--platform=\S+ )?)(?P<image>[^\s@]+)(?P<digest>@\S+)?"
    r"(?: AS (?P<stage>\S+))?$",
    re.MULTILINE | re.IGNORECASE,
)


def bases(text: str) -> dict[str, str]:
    """The images that a Dockerfile begins from, each with its digest, or "" without one."""
    found = list(_FROM.finditer(text))
    stages = {one["stage"] for one in found}
    return {
        one["image"]: (one["digest"] or "").removeprefix("@")
        for one in found
        if one["image"] not in stages | {"scratch"}
    }


def pinned(text: str, digest_of: Callable[[str], str], *, upgrade: bool = False) -> str:
    """The Dockerfile with a digest after each base that has none, or with ``upgrade`` after all."""
    wanted = {
        image: digest_of(image) if upgrade or not digest else digest
        for image, digest in bases(text).items()
    }

    def line(found: re.Match[str]) -> str:
        if found["image"] not in wanted:
            return found[0]
        stage = f" AS {found['stage']}" if found["stage"] else ""
        return f"{found['word']}{found['image']}@{wanted[found['image']]}{stage}"

    return _FROM.sub(line, text)


def digest_in_registry(image: str) -> str:
    """`sha256:...`, of the index where there is one. Raises `Unavailable`."""
    run = subprocess.run([binary("crane"), "digest", image], capture_output=True, text=True)
    if run.returncode != 0 or not re.fullmatch(r"sha256:[0-9a-f]{64}", run.stdout.strip()):
        raise Unavailable(image, last_lines(run.stderr or run.stdout))
    return run.stdout.strip()


def main(argv: list[str]) -> int:
    path = Path(next((word for word in argv if word != "--upgrade"), DOCKERFILE))
    before = path.read_text()
    try:
        after = pinned(before, digest_in_registry, upgrade="--upgrade" in argv)
    except Unavailable as error:
        print(f"not changed: {error}", file=sys.stderr)
        return 1
    if after != before:
        path.write_text(after)
    for image, digest in bases(after).items():
        print(f"{image}@{digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
