"""From the start of the process to the first right answer over gRPC.

Ours with two workers (the one that is asked is the first), without a snapshot and with one.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from bench import load, servers, usage
from bench.samples import Results, rounds
from bench.servers import COREDNS, OURS_2
from bench.setup import Setup, say
from bench.tables import figure, table_of
from tests.harness.coredns import CoreDNS
from tests.harness.grpcdns import Grpcdns
from tests.harness.ports import free_address

PLAIN: Final = "from the API"
SNAPSHOT: Final = "from a snapshot"


def measure(setup: Setup) -> Results:
    results = Results("start")
    with servers.ours(setup.kubeconfig, options=("--snapshot", snapshot_of(setup))):
        pass  # it is written when it stops
    for number, backwards in rounds(setup.rounds):
        cases = ((OURS_2, PLAIN), (OURS_2, SNAPSHOT), (COREDNS, PLAIN))
        for server, case in reversed(cases) if backwards else cases:
            if server == COREDNS:
                _peer(setup, results, number)
            else:
                _ours(setup, results, case, number)
        say(f"start: round {number + 1} of {setup.rounds}")
    return results


def snapshot_of(setup: Setup) -> Path:
    return setup.folder / "snapshot"


def _ours(setup: Setup, results: Results, case: str, number: int) -> None:
    flags: list[str | Path] = ["--kubeconfig", setup.kubeconfig, "--upstream", "none"]
    if case == SNAPSHOT:
        flags += ["--snapshot", snapshot_of(setup)]
    with ExitStack() as stack:
        ours = Grpcdns(*flags, workers=2)
        waiting = load.wait(ours.listen[0], setup.names)
        began = time.time()
        ours.start(ready=False)
        stack.callback(ours.__exit__, None, None, None)
        took = load.waited(waiting) - began
        cpu = usage.cpu_seconds(usage.family(ours.process.pid))
    results.add(OURS_2, case, number, seconds=took, cpu=cpu)


def _peer(setup: Setup, results: Results, number: int) -> None:
    address = free_address()
    waiting = load.wait(str(address), setup.names)
    peer = CoreDNS(servers.over_grpc(address, setup.kubeconfig))
    began = time.time()
    with peer:
        took = load.waited(waiting) - began
        cpu = usage.cpu_seconds([peer.process.pid])
    results.add(COREDNS, PLAIN, number, seconds=took, cpu=cpu)


def table(results: Results) -> str:
    heads = ("start", "server", "seconds to the first right answer", "CPU s", "/ CoreDNS")
    rows = []
    for case in results.cases():
        for server in results.servers():
            if results.find(server, case):
                ratio = results.ratio("seconds", (server, case), (COREDNS, PLAIN))
                cells = [figure(results, server, case, one, digits=2) for one in ("seconds", "cpu")]
                rows.append([case, server, *cells, f"{ratio:.2f}"])
    return table_of(heads, rows)
