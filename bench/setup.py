"""The input of every measurement: a filled cluster, questions about it, and the length of runs."""

from __future__ import annotations

import compileall
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import grpcdns
from bench.cluster import questions, write_plain, write_questions
from bench.fill import fill
from harness.cluster import Cluster


class Place(NamedTuple):
    """How a process finds the API: by a kubeconfig, or as in a Pod by ``env`` and the files that
    the command ``prefix`` gives it."""

    kubeconfig: Path | None
    env: Mapping[str, str]
    prefix: Sequence[str]


@dataclass(frozen=True)
class Setup:
    """``seconds`` is the length of one run, ``rounds`` the number of runs; ``pod`` is the place in
    which servers are deployed, None where the system has no mount namespaces."""

    cluster: Cluster
    size: int
    rounds: int
    seconds: float
    folder: Path
    pod: Place | None

    @property
    def place(self) -> Place:
        """Where servers run, unless a measurement uses another place."""
        return self.pod or self.outside

    @property
    def outside(self) -> Place:
        """With a kubeconfig."""
        return Place(self.cluster.admin_kubeconfig, {}, ())

    def once(self) -> Setup:
        """The same, for one round."""
        return replace(self, rounds=1)

    @property
    def api_flags(self) -> dict[str, str | Path]:
        """For `bench.load.Probe`: the API as its administrator."""
        folder = self.cluster.folder
        return {
            "api": f"https://{self.cluster.address}",
            "ca": self.cluster.ca,
            "cert": folder / "admin.crt",
            "key": folder / "admin.key",
        }

    @property
    def names(self) -> Path:
        """The file of all questions with their answers; see `bench.cluster.questions`."""
        return self.folder / "names"

    @property
    def plain(self) -> Path:
        """The same, for dnsperf."""
        return self.folder / "plain"


@contextmanager
def make(size: int, rounds: int, seconds: float) -> Iterator[Setup]:
    """A cluster of that size, up and filled."""
    began = time.monotonic()
    _write_bytecode()
    with Cluster(controllers=False) as cluster, tempfile.TemporaryDirectory() as folder:
        fill(cluster, size)
        setup = Setup(cluster, size, rounds, seconds, Path(folder), _pod(cluster))
        asked = questions(size)
        write_questions(setup.names, asked)
        write_plain(setup.plain, asked)
        say(f"a cluster of {size:,} Services, filled in {time.monotonic() - began:.0f} s")
        yield setup


def _write_bytecode() -> None:
    """As an installation has it: without, each process of ours would compile all that it imports,
    in an environment with PYTHONDONTWRITEBYTECODE."""
    compileall.compile_dir(next(iter(grpcdns.__path__)), quiet=1)


def _pod(cluster: Cluster) -> Place | None:
    """A service account's files, in a private mount namespace."""
    pod = cluster.in_cluster_files("bench")
    try:
        subprocess.run([*pod.inside, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        say("no mount namespaces: all servers get a kubeconfig")
        return None
    return Place(None, pod.env, pod.inside)


def say(line: str) -> None:
    """Prints progress on stderr."""
    print(f"bench: {line}", file=sys.stderr, flush=True)
