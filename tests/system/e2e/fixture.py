"""The Services of ``examples/cluster`` on a real API, with grpcdns and CoreDNS in front.

Services and Endpoints are created as the manifests have them, Pods are run by the stand-in for the
kubelet, and the real controllers make the EndpointSlices, mirrored ones included.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from harness.api import Object
from harness.cluster import Cluster
from harness.coredns import CoreDNS, replaced
from harness.dns import section
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES, ROOT
from harness.ports import free_address
from harness.waiting import wait_until

ZONES: Final = "cluster.local,10.96.0.0/12,172.17.0.0/16,192.168.50.0/24,fd00:96::/112"
WEB_V6: Final = "fd00:96::7"
MYHOST: Final = "myhost.headless.default.svc.cluster.local."


class World(NamedTuple):
    """All of it, running."""

    cluster: Cluster
    grpcdns: Grpcdns
    coredns: CoreDNS


def example_objects() -> Iterator[Object]:
    """The objects of ``examples/cluster``, with addresses in the ranges of this cluster."""
    for path in sorted(EXAMPLES.glob("*.yaml")):
        text = path.read_text().replace("fd00:10:96::7", WEB_V6)
        yield from (one for one in yaml.safe_load_all(text) if one)


def fill(cluster: Cluster) -> dict[str, Object]:
    """Creates the examples; returns the Pods by name."""
    pods: dict[str, Object] = {}
    for obj in example_objects():
        kind, name = obj["kind"], obj["metadata"]["name"]
        if kind == "Namespace":
            continue  # every cluster has these
        if kind == "Pod":
            pods[name] = run(cluster, obj)
        else:
            cluster.api.create(_without_status(obj))
    return pods


def run(cluster: Cluster, pod: Object, *, ready: bool = True) -> Object:
    """Runs a Pod of the examples at the address in its manifest's status."""
    return cluster.kubelet.run(_without_status(pod), [pod["status"]["podIP"]], ready=ready)


def sidecar(grpcdns: Grpcdns, outside: str = "hosts {\n 192.0.2.80 www.example.org\n}") -> str:
    """corefile/sidecar.Corefile with the sockets and networks of the test, and no other machine."""
    return replaced(
        (ROOT / "corefile/sidecar.Corefile").read_text(),
        {
            "cluster.local 10.96.0.0/12 10.244.0.0/16 {": f"{ZONES.replace(',', ' ')} {{",
            "unix:///run/grpcdns/0.sock unix:///run/grpcdns/1.sock": " ".join(grpcdns.listen),
            "forward . /etc/resolv.conf {\n        max_concurrent 1000\n    }": outside,
            "prometheus :9153": "",
            "lameduck 5s": "lameduck 1s",
            # Ports that one process of a Pod binds; here many CoreDNS share a host.
            "\n    ready\n": "\n",
            "health {": "health 127.0.0.1:0 {",
        },
    )


@contextmanager
def world(*options: str | Path) -> Iterator[World]:
    """A cluster with the examples, grpcdns as a service account, CoreDNS in front.

    CoreDNS is also grpcdns's upstream, as in a Pod.
    """
    address = free_address()
    with Cluster() as cluster:
        fill(cluster)
        kubeconfig = cluster.service_account_kubeconfig("grpcdns")
        given = ("--kubeconfig", kubeconfig, "--zones", ZONES, "--upstream", str(address))
        with (
            Grpcdns(*given, *options) as grpcdns,
            CoreDNS(sidecar(grpcdns), address=address) as coredns,
        ):
            found = lambda: len(section(grpcdns.ask(MYHOST))) == 4  # noqa: E731
            wait_until(found, "the controllers' slices", timeout=30)
            yield World(cluster, grpcdns, coredns)


def _without_status(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key != "status"}
