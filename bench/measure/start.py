"""From the start of the process to the first right answer over gRPC.

Ours with two workers (the one that is asked is the first), in a Pod and with a kubeconfig, and in a
Pod with a snapshot; CoreDNS in a Pod and with a kubeconfig. "In a Pod" is how both are deployed: a
service account's files and variables, here in a mount namespace of their own. Where the system has
no such thing for us, those cases are left out.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple

from bench import load, servers, usage
from bench.samples import Results, rounds
from bench.servers import COREDNS, OURS_2
from bench.setup import Setup, say
from bench.tables import figure, table_of
from tests.harness.coredns import CoreDNS
from tests.harness.grpcdns import Grpcdns
from tests.harness.ports import free_address

POD: Final = "in a Pod"
KUBECONFIG: Final = "with a kubeconfig"
SNAPSHOT: Final = "from a snapshot"


class Place(NamedTuple):
    """How a process finds the API."""

    kubeconfig: Path | None
    env: Mapping[str, str]
    prefix: Sequence[str]


def measure(setup: Setup) -> Results:
    results = Results("start")
    places = _places(setup)
    with servers.ours(setup.kubeconfig, options=("--snapshot", snapshot_of(setup))):
        pass  # it is written when it stops
    cases = [(server, case) for case in places for server in (OURS_2, COREDNS)]
    cases.append((OURS_2, SNAPSHOT))
    for number, backwards in rounds(setup.rounds):
        for server, case in reversed(cases) if backwards else cases:
            place = places.get(case) or next(iter(places.values()))
            if server == COREDNS:
                _peer(place, setup, results, case, number)
            else:
                _ours(place, setup, results, case, number)
        say(f"start: round {number + 1} of {setup.rounds}")
    return results


def snapshot_of(setup: Setup) -> Path:
    return setup.folder / "snapshot"


def _places(setup: Setup) -> dict[str, Place]:
    found = {KUBECONFIG: Place(setup.kubeconfig, {}, ())}
    pod = setup.cluster.in_cluster_files("bench")
    try:
        subprocess.run([*pod.inside, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        say("start: no mount namespaces here, so nothing is measured as in a Pod")
        return found
    return {POD: Place(None, pod.env, pod.inside), **found}


def _ours(place: Place, setup: Setup, results: Results, case: str, number: int) -> None:
    flags: list[str | Path] = ["--upstream", "none"]
    if place.kubeconfig:
        flags += ["--kubeconfig", place.kubeconfig]
    if case == SNAPSHOT:
        flags += ["--snapshot", snapshot_of(setup)]
    with ExitStack() as stack:
        ours = Grpcdns(*flags, workers=2, env=place.env, prefix=place.prefix)
        waiting = load.wait(ours.listen[0], setup.names)
        began = time.time()
        ours.start(ready=False)
        stack.callback(ours.__exit__, None, None, None)
        took = load.waited(waiting) - began
        cpu = usage.cpu_seconds(usage.family(ours.process.pid))
    results.add(OURS_2, case, number, seconds=took, cpu=cpu)


def _peer(place: Place, setup: Setup, results: Results, case: str, number: int) -> None:
    address = free_address()
    waiting = load.wait(str(address), setup.names)
    corefile = servers.over_grpc(address, place.kubeconfig)
    peer = CoreDNS(corefile, env=place.env, prefix=place.prefix)
    began = time.time()
    with peer:
        took = load.waited(waiting) - began
        cpu = usage.cpu_seconds([peer.process.pid])
    results.add(COREDNS, case, number, seconds=took, cpu=cpu)


def table(results: Results) -> str:
    heads = ("start", "server", "seconds to the first right answer", "CPU s", "/ CoreDNS")
    rows = []
    for case in results.cases():
        peer = case if results.find(COREDNS, case) else results.cases()[0]
        for server in results.servers():
            if results.find(server, case):
                ratio = results.ratio("seconds", (server, case), (COREDNS, peer))
                cells = [figure(results, server, case, one, digits=2) for one in ("seconds", "cpu")]
                rows.append([case, server, *cells, f"{ratio:.2f}"])
    return table_of(heads, rows)
