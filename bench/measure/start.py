"""From the start of the process to the first right answer over gRPC.

grpcdns has two workers, of which the first is asked: in a Pod, with a kubeconfig, and in a Pod with
a snapshot. CoreDNS is measured in a Pod and with a kubeconfig. "In a Pod" is how both are deployed,
with a service account's files and variables, here in a private mount namespace. Where the system
has none, these cases are left out.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench import load, servers, usage
from bench.samples import Results, rounds
from bench.servers import COREDNS, OURS_2
from bench.setup import Place, Setup, say
from bench.tables import figure, table_of
from harness.ports import free_address

POD: Final = "in a Pod"
KUBECONFIG: Final = "with a kubeconfig"
SNAPSHOT: Final = "from a snapshot"
_PARTS: Final = ("supervisor", "feed", "worker")
"""Processes whose CPU time is also shown separately; of the workers only the first."""


def measure(setup: Setup) -> Results:
    results = Results("start")
    places = {KUBECONFIG: setup.outside}
    if setup.pod:
        places = {POD: setup.pod, **places}
    with servers.ours(setup.place, options=("--snapshot", snapshot_of(setup))):
        pass  # the snapshot is written when it stops
    cases = [(server, case) for case in places for server in (OURS_2, COREDNS)]
    cases.append((OURS_2, SNAPSHOT))
    for number, backwards in rounds(setup.rounds):
        for server, case in reversed(cases) if backwards else cases:
            place = places.get(case, setup.place)
            if server == COREDNS:
                _peer(place, setup, results, case, number)
            else:
                _ours(place, setup, results, case, number)
        say(f"start: round {number + 1} of {setup.rounds}")
    return results


def snapshot_of(setup: Setup) -> Path:
    return setup.folder / "snapshot"


def _ours(place: Place, setup: Setup, results: Results, case: str, number: int) -> None:
    snapshot = ("--snapshot", snapshot_of(setup)) if case == SNAPSHOT else ()
    with ExitStack() as stack:
        ours = servers.ours_at(place, *snapshot, workers=2)
        waiting = load.wait(ours.listen[0], setup.names)
        began = time.time()
        ours.start(ready=False)
        stack.callback(ours.__exit__, None, None, None)
        took = load.waited(waiting) - began
        children = ours.children()
        pids = (ours.process.pid, children["feed"], children["worker 0"])
        parts = {part: usage.cpu_seconds([pid]) for part, pid in zip(_PARTS, pids, strict=True)}
        cpu = usage.cpu_seconds(usage.family(ours.process.pid))
    results.add(OURS_2, case, number, seconds=took, cpu=cpu, **parts)


def _peer(place: Place, setup: Setup, results: Results, case: str, number: int) -> None:
    address = free_address()
    waiting = load.wait(str(address), setup.names)
    peer = servers.coredns_at(place, servers.over_grpc(address, place))
    began = time.time()
    with peer:
        took = load.waited(waiting) - began
        cpu = usage.cpu_seconds([peer.process.pid])
    results.add(COREDNS, case, number, seconds=took, cpu=cpu)


def table(results: Results) -> str:
    heads = (
        "start", "server", "seconds to the first right answer", "/ CoreDNS", "CPU s",
        *(f"{part} CPU s" for part in _PARTS),
    )  # fmt: skip
    rows = []
    for case in results.cases():
        peer = case if results.find(COREDNS, case) else results.cases()[0]
        for server in results.servers():
            if results.find(server, case):
                ratio = results.ratio("seconds", (server, case), (COREDNS, peer))
                seconds, *cpu = (
                    figure(results, server, case, one, digits=2)
                    for one in ("seconds", "cpu", *_PARTS)
                )
                rows.append([case, server, seconds, ratio.text(), *cpu])
    return table_of(heads, rows)
