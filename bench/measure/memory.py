"""Memory of feed and two workers (proportional set size, PSS), and of CoreDNS.

"synced" is measured as soon as all answer, "asked" after every worker was asked every question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench import load, servers, usage
from bench.cluster import questions
from bench.samples import Results, rounds
from bench.servers import COREDNS
from bench.setup import Setup, say
from bench.tables import figure, table_of
from harness.grpcdns import Grpcdns

SYNCED, ASKED = "synced", "asked"
TOGETHER: Final = "feed + 2 workers"
SUPERVISOR: Final = "supervisor"


def measure(setup: Setup) -> Results:
    results = Results("memory")
    for number, _ in rounds(setup.rounds):
        with servers.ours(setup.place, workers=2) as ours:
            assert isinstance(ours.harness, Grpcdns)
            parts = ours.harness.children()
            _take(results, SYNCED, number, parts, ours.root)
            for target in ours.targets:
                _ask(target, setup)
            _take(results, ASKED, number, parts, ours.root)
        with servers.coredns(setup.place, names=setup.names) as peer:
            _note(results, COREDNS, SYNCED, number, peer.pids)
            _ask(peer.targets[0], setup)
            _note(results, COREDNS, ASKED, number, peer.pids)
        say(f"memory: round {number + 1} of {setup.rounds}")
    return results


def _ask(target: str, setup: Setup) -> None:
    load.run([target], setup.names, callers=16, seconds=120, count=len(questions(setup.size)))


def _take(
    results: Results, case: str, number: int, parts: Mapping[str, int], supervisor: int
) -> None:
    _note(results, TOGETHER, case, number, list(parts.values()))
    for name, pid in sorted(parts.items()):
        _note(results, name, case, number, [pid])
    _note(results, SUPERVISOR, case, number, [supervisor])


def _note(results: Results, server: str, case: str, number: int, pids: list[int]) -> None:
    results.add(server, case, number, **usage.memory(pids)._asdict())


def table(results: Results) -> str:
    heads = ("when", "process", "PSS MB", "RSS MB", "peak RSS MB", "PSS / CoreDNS")
    rows = []
    for case in results.cases():
        for server in results.servers():
            cells = [figure(results, server, case, one) for one in ("pss", "rss", "peak")]
            ratio = results.ratio("pss", (server, case), (COREDNS, case))
            rows.append([case, server, *cells, ratio.text()])
    return table_of(heads, rows)
