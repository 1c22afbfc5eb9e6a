"""A headless Service with two Pods in a real cluster, for options that depend on their state."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from harness.api import Object
from harness.cluster import Cluster
from harness.dns import section
from harness.grpcdns import Grpcdns
from harness.metrics import sample
from harness.objects import pod, port, service
from harness.ports import Address
from harness.waiting import wait_until

NXDOMAIN: Final = 3
HELD: Final = 'grpcdns_held_services{by="hold-empty"}'
IPS: Final = ("172.17.9.1", "172.17.9.2")


class Setup:
    """A headless Service with two Pods, and what is answered for it."""

    def __init__(self, cluster: Cluster, namespace: str, metrics: Address) -> None:
        self.cluster = cluster
        self.metrics = metrics
        self.name = f"db.{namespace}.svc.cluster.local."
        labels = {"app": "db"}
        made = service("db", namespace=namespace, headless=True, selector=labels, ports=[port(80)])
        self.service = cluster.api.create(made)
        self.pods: list[Object] = [
            cluster.kubelet.run(pod(f"db-{at}", namespace=namespace, labels=labels), [ip])
            for at, ip in enumerate(IPS)
        ]
        self.options: tuple[str | Path, ...] = (
            "--kubeconfig", cluster.admin_kubeconfig, "--metrics", str(metrics),
            "--upstream", "none",
        )  # fmt: skip

    def records(self, ours: Grpcdns, worker: int = 0) -> list[str]:
        """TTL and address of each record."""
        found = section(ours.ask(self.name, worker=worker))
        return sorted(f"{one.split()[1]} {one.split()[-1]}" for one in found)

    def wait(self, ours: Grpcdns, ttl: int, *ips: str) -> None:
        expected = [f"{ttl} {ip}" for ip in ips]
        for worker in (0, 1):
            wait_until(
                lambda w=worker: self.records(ours, w) == expected,  # type: ignore[misc]
                f"{expected} of worker {worker}",
            )

    def fail(self) -> None:
        """No Pod is ready any more."""
        for one in self.pods:
            self.cluster.kubelet.set_ready(one, False)

    def held(self) -> float:
        return sample(self.metrics, HELD)

    def is_empty(self, ours: Grpcdns) -> bool:
        return ours.ask(self.name).rcode() == NXDOMAIN
