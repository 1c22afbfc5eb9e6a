"""`grpcdns serve` on a few manifests, and what can be seen of its processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from harness.grpcdns import Grpcdns
from harness.metrics import samples
from harness.waiting import wait_until

NAME: Final = "xecho.default.svc.cluster.local."
ADDRESS: Final = "10.96.49.52"

_NAMESPACE: Final = """\
apiVersion: v1
kind: Namespace
metadata: {name: default}
"""
_SERVICE: Final = """\
---
apiVersion: v1
kind: Service
metadata: {name: %s, namespace: default}
spec: {type: ClusterIP, clusterIP: %s, clusterIPs: [%s], ports: [{port: 80, protocol: TCP}]}
"""


def write_manifests(path: Path, services: Mapping[str, str] | None = None) -> Path:
    """A namespace and its Services, by name and address; the file is replaced at once."""
    services = {"xecho": ADDRESS} if services is None else services
    new = path.with_suffix(".new")
    new.write_text(_NAMESPACE + "".join(_SERVICE % (n, ip, ip) for n, ip in services.items()))
    new.replace(path)
    return path


def addresses(ours: Grpcdns, name: str = NAME, worker: int = 0) -> list[str]:
    """What a worker answers to an A query."""
    answer = ours.ask(name, "A", worker=worker).answer
    return sorted(item.to_text() for rrset in answer for item in rrset)


def answers(ours: Grpcdns, name: str = NAME, worker: int = 0) -> bool:
    return addresses(ours, name, worker) == [ADDRESS]


def is_replaced(ours: Grpcdns, what: str, old: int) -> Callable[[], bool]:
    """Whether another process has taken the place of one, and answers."""

    def check() -> bool:
        pid = ours.children().get(what, old)
        if pid == old:
            return False
        return what == "feed" or answers(ours, worker=int(what.split()[1]))

    return check


def counters(address: object) -> dict[str, float]:
    """Every sample of /metrics that is counted up, by its name and labels; but CPU time."""
    counted = re.compile(r"grpcdns_(?!process_cpu)\w+_(total|bucket|sum|count)\b")
    return {name: value for name, value in samples(address).items() if counted.match(name)}


def wait_answers(ours: Grpcdns, name: str, address: str | None, what: str) -> None:
    """Until every worker gives this address, or none."""
    wanted = [] if address is None else [address]

    def right() -> bool:
        return all(addresses(ours, name, worker) == wanted for worker in range(len(ours.listen)))

    wait_until(right, what)
