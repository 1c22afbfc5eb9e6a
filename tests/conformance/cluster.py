"""The cluster that the rows are about, as the API's objects, made by hand: every shape that has its
own kind of answer, and every odd one that a real API server accepts.

``OBJECTS`` can be given to ``kubectl apply``, a real API server or a manifest file as they are.
What the API server or its controllers add (``default/kubernetes``) is not among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.api import Object
from harness.objects import endpoint_slice, namespace, pod, port, service, service_import

LONG: Final = "l" * 63
LONG_NS: Final = "n" * 63
EXPOSED: Final = {"dns": "shown"}
"""The label that the options ``labels`` and ``namespace_labels`` select."""


def ready(*ips: str, **fields: Any) -> Object:
    return {"addresses": list(ips), "conditions": {"ready": True}, **fields}


def placed(ip: str, zone: str, node: str = "", hints: Sequence[str] = (), **fields: Any) -> Object:
    """A ready endpoint in a zone, hinted for ``hints``."""
    hinted = {"hints": {"forZones": [{"name": name} for name in hints]}} if hints else {}
    at = {"nodeName": node} if node else {}
    return ready(ip, zone=zone, **at, **hinted, **fields)


def unready(*ips: str, **conditions: bool) -> Object:
    return {"addresses": list(ips), "conditions": {"ready": False, **conditions}}


def of_pod(ip: str, name: str, ns: str = "testns", **fields: Any) -> Object:
    return ready(ip, targetRef={"kind": "Pod", "name": name, "namespace": ns}, **fields)


def tcp(number: int | None, name: str | None = None, protocol: str = "TCP") -> Object:
    """A slice's port."""
    fields = {"name": name, "port": number, "protocol": protocol}
    return {key: value for key, value in fields.items() if value is not None}


def sliced(
    name: str, owner: str, points: Sequence[Object], ports: Sequence[Object], **options: Any
) -> Object:
    return endpoint_slice(name, owner, points, ports, **{"namespace": "testns", **options})


def svc(name: str, *ips: str, ports: Sequence[Object] = (), **options: Any) -> Object:
    return service(name, cluster_ips=ips, ports=ports or (), **{"namespace": "testns", **options})


def dual(*families: str) -> dict[str, object]:
    policy = "RequireDualStack" if len(families) > 1 else "SingleStack"
    return {"ipFamilies": list(families), "ipFamilyPolicy": policy}


def external(name: str, target: str, **options: Any) -> Object:
    return svc(name, type="ExternalName", externalName=target, **options)


def with_status(obj: Object, *ingress: Mapping[str, str]) -> Object:
    return {**obj, "status": {"loadBalancer": {"ingress": [dict(one) for one in ingress]}}}


def running(name: str, ip: str, phase: str = "Running", ns: str = "testns", **spec: Any) -> Object:
    made = pod(name, namespace=ns, **spec)
    ips = {"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {}
    return {**made, "status": {"phase": phase, **ips}}


def relabel(obj: Object, labels: Mapping[str, str | None]) -> Object:
    """The object with labels added, or (None) left out."""
    merged = {**obj["metadata"].get("labels", {}), **labels}
    kept = {key: value for key, value in merged.items() if value is not None}
    return {**obj, "metadata": {**obj["metadata"], "labels": kept}}


def imported(
    name: str, owner: str, cluster: str | None, points: Sequence[Object], ports: Sequence[Object]
) -> Object:
    """A slice of a ServiceImport, from one cluster."""
    labels = {
        "kubernetes.io/service-name": None,
        "multicluster.kubernetes.io/service-name": owner,
        "multicluster.kubernetes.io/source-cluster": cluster,
    }
    return relabel(sliced(name, owner, points, ports), labels)


def distributed(obj: Object, how: str = "PreferClose") -> Object:
    """The object with a trafficDistribution."""
    return {**obj, "spec": {**obj["spec"], "trafficDistribution": how}}


HTTP: Final = [tcp(80, "http")]

NAMESPACES: Final = [
    namespace("testns", labels=EXPOSED),
    namespace("empty", labels=EXPOSED),
    namespace("hidden"),
    namespace("svc"),
    namespace("pod"),
    namespace("dns"),
    namespace(LONG_NS),
]

CLUSTER_IP: Final = [
    svc("svc1", "10.96.0.10", ports=[port(80, "http"), port(53, "dns", "UDP")]),
    sliced("svc1-a", "svc1", [ready("10.244.0.1"), unready("10.244.0.2")], [tcp(8080, "http")]),
    svc("svc-dual", "10.96.0.11", "fd00:96::11", ports=[port(80, "http")],
        **dual("IPv4", "IPv6")),
    svc("svc6", "fd00:96::12", ports=[port(80, "http")], **dual("IPv6")),
    svc("unnamed", "10.96.0.13", ports=[port(80)]),
    svc("portless-slices", "10.96.0.14", ports=[port(80, "http")]),
    sliced("portless-slices-a", "portless-slices", [ready("10.244.0.14")], []),
    svc("empty", "10.96.0.15", ports=[port(80, "http")]),
    svc("labelled", "10.96.0.16", ports=[port(80, "http")], labels=EXPOSED),
    relabel(sliced("labelled-a", "labelled", [ready("10.244.0.16")], HTTP), EXPOSED),
    svc("svc1", "10.96.0.20", ports=[port(80, "http")], namespace="hidden"),
    sliced("svc1-a", "svc1", [ready("10.244.0.20")], HTTP, namespace="hidden"),
    # Names that read like parts of others.
    svc("svc", "10.96.0.21", ports=[port(80, "http")], namespace="svc"),
    svc("pod", "10.96.0.22", ports=[port(80, "http")], namespace="pod"),
    svc("ns", "10.96.0.23", ports=[port(80, "http")], namespace="dns"),
    svc("any", "10.96.0.24", ports=[port(80, "any")]),
    svc(LONG, "10.96.0.25", ports=[port(80, "http")], namespace=LONG_NS),
    svc("kube-dns", "10.96.0.53", ports=[port(53, "dns", "UDP"), port(53, "dns-tcp")],
        namespace="kube-system"),
    sliced("kube-dns-a", "kube-dns", [ready("10.244.0.53")],
           [tcp(53, "dns", "UDP"), tcp(53, "dns-tcp")], namespace="kube-system"),
]  # fmt: skip

HEADLESS: Final = [
    svc("hdls", headless=True, ports=[port(80, "http")]),
    sliced("hdls-a", "hdls", [
        ready("10.244.1.1", hostname="web-0"), ready("10.244.1.2", hostname="web-1"),
        ready("10.244.1.3"), {"addresses": ["10.244.1.4"]},
        unready("10.244.1.5"), unready("10.244.1.6", serving=True, terminating=True),
        ready("10.244.1.7", zone="zone-a"), ready("10.244.1.8", zone="Zone-B.example"),
    ], [tcp(8080, "http"), tcp(53, "dns", "UDP")]),
    # The same address again, another port for the same name, and one more endpoint.
    sliced("hdls-b", "hdls", [ready("10.244.1.1", hostname="web-0"), ready("10.244.1.9")],
           [tcp(8081, "http")]),
    sliced("hdls-6", "hdls", [
        ready("fd00::"), ready("2001:db8::1"), ready("2001:db8:3333:4444:5555:6666:7777:8888"),
        ready("fd00::a:0:0:1", hostname="web-6"),
    ], [tcp(8080, "http")], family="IPv6"),
    svc("near", headless=True, ports=[port(80, "http")], trafficDistribution="PreferSameZone"),
    sliced("near-a", "near", [
        placed("10.244.11.1", "zone-a", "node-a1", ["zone-a"], hostname="near-0"),
        placed("10.244.11.2", "zone-a", "node-a2", ["zone-a"]),
        placed("10.244.11.3", "zone-b", "node-b1", ["zone-b"]),
        placed("10.244.11.4", "zone-b", "node-b2", ["zone-a"]),
        unready("10.244.11.5", serving=True, terminating=True),
    ], [tcp(8080, "http"), tcp(53, "dns", "UDP")]),
    # Without hints.
    sliced("near-6", "near", [placed("fd00::11:1", "zone-a"), placed("fd00::11:2", "zone-c")],
           [tcp(8080, "http")], family="IPv6"),
    svc("near-node", headless=True, ports=[port(80, "http")],
        trafficDistribution="PreferSameNode"),
    sliced("near-node-a", "near-node", [
        placed("10.244.12.1", "zone-a", "node-a1"), placed("10.244.12.2", "zone-a", "node-a2"),
        placed("10.244.12.3", "zone-b", "node-b1"),
    ], [tcp(80, "http")]),
    svc("near-ip", "10.96.0.17", ports=[port(80, "http")], trafficDistribution="PreferSameZone"),
    sliced("near-ip-a", "near-ip", [placed("10.244.13.1", "zone-a"),
                                    placed("10.244.13.2", "zone-b")], [tcp(80, "http")]),
    external("ext-near", "near.testns.svc.cluster.local"),
    svc("ending", headless=True, ports=[port(80, "http")]),
    sliced("ending-a", "ending", [
        unready("10.244.14.1", serving=True, terminating=True),
        unready("10.244.14.2", serving=True, terminating=True) | {"hostname": "ending-1"},
        unready("10.244.14.3", serving=False, terminating=True),
        unready("10.244.14.4"),
    ], [tcp(8080, "http")]),
    svc("ending-ip", "10.96.0.18", ports=[port(80, "http")]),
    sliced("ending-ip-a", "ending-ip", [
        unready("10.244.15.1", serving=True, terminating=True),
    ], [tcp(8080, "http")]),
    # Names may begin with a digit from Kubernetes 1.36 on.
    svc("7seas", headless=True, ports=[port(80, "http")]),
    sliced("7seas-a", "7seas", [{"addresses": ["10.244.17.1"], "conditions": {}},
                                {"addresses": ["10.244.17.2"], "hostname": "8ball"}], HTTP),
    svc("portless", headless=True),
    sliced("portless-a", "portless", [ready("10.244.2.1")], []),
    svc("unnamed-port", headless=True, ports=[port(80)]),
    sliced("unnamed-port-a", "unnamed-port", [ready("10.244.2.2")], [tcp(80)]),
    svc("no-number", headless=True, ports=[port(80, "http")]),
    sliced("no-number-a", "no-number", [ready("10.244.2.3")], [tcp(None, "http")]),
    svc("no-slices", headless=True, ports=[port(80, "http")]),
    svc("not-ready", headless=True, ports=[port(80, "http")]),
    sliced("not-ready-a", "not-ready", [unready("10.244.2.4")], [tcp(80, "http")]),
    svc("nulls", headless=True, ports=[port(80, "http")]),
    {**sliced("nulls-a", "nulls", [], []), "endpoints": None, "ports": None},
    svc("fqdn", headless=True, ports=[port(80, "http")]),
    sliced("fqdn-a", "fqdn", [ready("www.example.net")], [tcp(80, "http")], family="FQDN"),
    svc("pods", headless=True, ports=[port(80, "http")]),
    sliced("pods-a", "pods", [
        of_pod("10.244.3.1", "pod-one"), of_pod("10.244.3.2", "dotted.pod.name"),
        of_pod("10.244.3.3", "p" * 63), of_pod("10.244.3.4", "p" * 64),
        of_pod("10.244.3.5", "pod-named", hostname="host-named"),
        of_pod("10.244.3.6", "shared"), of_pod("10.244.3.6", "shared-too"),
    ], [tcp(80, "http")]),
    svc("twins", headless=True, ports=[port(80, "http")]),
    sliced("twins-a", "twins", [ready("10.244.4.1", hostname="twin"),
                                ready("10.244.4.2", hostname="twin")], [tcp(80, "http")]),
    svc("both-protocols", headless=True, ports=[port(53, "dns", "UDP"), port(53, "dns-tcp")]),
    sliced("both-protocols-a", "both-protocols", [ready("10.244.5.1")], [tcp(53, "dns", "UDP")]),
    sliced("both-protocols-b", "both-protocols", [ready("10.244.5.1")], [tcp(53, "dns", "TCP")]),
    # One address behind two Services, and one that is another's cluster IP.
    svc("other-owner", headless=True, ports=[port(80, "http")]),
    sliced("other-owner-a", "other-owner",
           [ready("10.244.1.1", hostname="also"), ready("10.96.0.10")], [tcp(80, "http")]),
    svc("many-ports", headless=True, ports=[port(80 + n, f"p{n}") for n in range(7)]),
    sliced("many-ports-a", "many-ports", [ready("10.244.6.1"), ready("10.244.6.2")],
           [tcp(80 + number, f"p{number}") for number in range(7)]),
    svc(LONG, headless=True, ports=[port(80, "http")]),
    sliced("long-a", LONG, [ready("10.244.7.1", hostname="h" * 63)], [tcp(80, "http")]),
    # Slices whose Service is not there, or not named.
    sliced("orphan-a", "orphan", [ready("10.244.8.1"), ready("fd00::8:1")][:1], [tcp(80, "http")]),
    sliced("odd-owner-a", "Odd.Owner_x", [ready("10.244.8.5")], HTTP),
    svc("several-addresses", headless=True, ports=[port(80, "http")]),
    sliced("several-addresses-a", "several-addresses",
           [ready("10.244.8.6", "10.244.8.7", hostname="both")], HTTP),
    svc("shared-name", headless=True, ports=[port(80, "http")], namespace="empty"),
    sliced("shared-name-a", "shared-name", [ready("10.244.8.3")], HTTP, namespace="empty"),
    svc("external-endpoints", "10.96.0.30", ports=[port(80, "http")]),
    sliced("external-endpoints-a", "external-endpoints", [ready("192.0.2.80")], HTTP),
]  # fmt: skip

EXTERNAL_NAMES: Final = [
    external("ext", "www.example.net"),
    external("ext-cname", "alias.example.net"),
    external("ext-nothing", "nothing.example.net"),
    external("ext-broken", "broken.example.org"),
    external("ext-port", "www.example.net", ports=[port(80, "http")]),
    external("ext-in", "svc1.testns.svc.cluster.local"),
    external("ext-dot", "svc1.testns.svc.cluster.local."),
    external("ext-hdls", "hdls.testns.svc.cluster.local"),
    external("ext-endpoint", "web-0.hdls.testns.svc.cluster.local"),
    external("ext-missing", "missing.testns.svc.cluster.local"),
    external("ext-apex", "cluster.local"),
    external("ext-ns-dns", "ns.dns.cluster.local"),
    external("ext-version", "dns-version.cluster.local"),
    external("ext-other-zone", "svc1.testns.svc.cluster2.example"),
    external("ext-imported", "imported.testns.svc.clusterset.local"),
    external("ext-outside", "lb.testns.outside.example"),
    external("ext-ip", "192.0.2.7"),
    external("ext-self", "ext-self.testns.svc.cluster.local"),
    external("ext-below", "x.ext-below.testns.svc.cluster.local"),
    external("ext-ping", "ext-pong.testns.svc.cluster.local"),
    external("ext-pong", "ext-ping.testns.svc.cluster.local"),
    external("ext-label", "localhost"),
    external("ext-hidden", "svc1.hidden.svc.cluster.local"),
    external("ext-pod", "10-244-3-1.testns.pod.cluster.local"),
    external("ext-reverse", "10.0.96.10.in-addr.arpa"),
    external("ext-over", "ext.testns.svc.cluster.local"),
    # Endpoints of an ExternalName.
    sliced("ext-a", "ext", [ready("10.244.9.1", hostname="x")], [tcp(80, "http")]),
    *(external(f"chain-{number}", f"chain-{number + 1}.testns.svc.cluster.local")
      for number in range(14)),
    svc("chain-14", "10.96.0.114", ports=[port(80, "http")]),
]  # fmt: skip

PUBLIC: Final = [
    with_status(
        svc("lb", "10.96.0.40", ports=[port(80, "http"), port(53, "dns", "UDP")],
            type="LoadBalancer"),
        {"ip": "198.51.100.5"}, {"ip": "2001:db8:1::5"}),
    with_status(svc("lb-name", "10.96.0.41", ports=[port(80, "http")], type="LoadBalancer"),
                {"hostname": "www.example.net"}),
    with_status(svc("lb-mixed", "10.96.0.42", ports=[port(80, "http")], type="LoadBalancer",
                    externalIPs=["203.0.113.42"]),
                {"ip": "198.51.100.42"}, {"hostname": "alias.example.net"}),
    with_status(svc("lb-names", "10.96.0.48", ports=[port(80, "http")], type="LoadBalancer"),
                {"hostname": "www.example.net"}, {"hostname": "alias.example.net"}),
    with_status(svc("lb-modes", "10.96.0.49", ports=[port(80, "http")], type="LoadBalancer"),
                {"ip": "198.51.100.49", "ipMode": "Proxy"}, {"ip": "198.51.100.50",
                                                             "ipMode": "VIP"}),
    svc("lb-pending", "10.96.0.43", ports=[port(80, "http")], type="LoadBalancer"),
    svc("ext-ips", "10.96.0.44", ports=[port(80, "http")],
        externalIPs=["203.0.113.5", "203.0.113.6", "2001:db8:2::5"]),
    svc("ext-ips-shared", "10.96.0.45", ports=[port(81, "http")], externalIPs=["203.0.113.5"]),
    svc("ext-ips", "10.96.0.46", ports=[port(80, "http")], externalIPs=["203.0.113.7"],
        namespace="hidden"),
    svc("hdls-public", headless=True, ports=[port(80, "http")], externalIPs=["203.0.113.8"]),
    sliced("hdls-public-a", "hdls-public", [ready("10.244.10.1", hostname="inner")],
           [tcp(80, "http")]),
    svc("node-port", "10.96.0.47", ports=[port(80, "http")], type="NodePort"),
]  # fmt: skip

IMPORTS: Final = [
    service_import("imported", ["10.97.0.1"], [tcp(80, "http"), tcp(53, "dns", "UDP")],
                   namespace="testns"),
    imported("imported-a", "imported", "east", [ready("10.97.1.1", hostname="web-0")],
             [tcp(80, "http")]),
    imported("imported-b", "imported", "west", [ready("10.97.1.2", hostname="web-0"),
                                                ready("10.97.1.3")], [tcp(80, "http")]),
    service_import("imported-hdls", [], [tcp(80, "http")], namespace="testns"),
    imported("imported-hdls-a", "imported-hdls", "east", [ready("10.97.2.1", hostname="web-0")],
             [tcp(80, "http")]),
    imported("imported-hdls-b", "imported-hdls", "West-2", [ready("10.97.2.2")],
             [tcp(81, "http")]),
    imported("imported-hdls-c", "imported-hdls", "east", [unready("10.97.2.3")],
             [tcp(80, "http")]),
    distributed(service_import("imported-near", [], [tcp(80, "http")], namespace="testns")),
    imported("imported-near-a", "imported-near", "east", [ready("10.97.3.1")], [tcp(80, "http")]),
    imported("imported-near-b", "imported-near", "west", [ready("10.97.3.2")], [tcp(80, "http")]),
    service_import("imported-empty", ["10.97.0.2"], [tcp(80, "http")], namespace="testns"),
    # Written in ways that are not the shortest: two of them are one address.
    service_import("imported-written", ["fd00:97::1", "FD00:97:0::0001", "10.97.0.4"],
                   [tcp(80, "http")], namespace="testns"),
    service_import("imported-bare", ["10.97.0.3"], [], namespace="testns"),
    service_import("imported-nothing", [], [], namespace="testns"),
    service_import("imported", ["10.97.0.9"], [tcp(80, "http")], namespace="hidden"),
]  # fmt: skip

PODS: Final = [
    running("pod-one", "10.244.3.1"),
    running("pod-six", "fd00::3:1"),
    running("pod-zero", "fd00::"),
    running("node-net-a", "192.0.2.10", hostNetwork=True),
    running("node-net-b", "192.0.2.10", hostNetwork=True),
    running("node-net-c", "192.0.2.10", ns="empty", hostNetwork=True),
    running("done", "10.244.3.20", "Succeeded"),
    running("failed", "10.244.3.21", "Failed"),
    running("taken-over-old", "10.244.3.22", "Succeeded"),
    running("taken-over-new", "10.244.3.22", ns="empty"),
    running("pending", "", "Pending"),
    running("pod-hidden", "10.244.3.30", ns="hidden"),
]

ASKABLE: Final[list[Object]] = [
    *NAMESPACES, *CLUSTER_IP, *HEADLESS, *EXTERNAL_NAMES, *PUBLIC, *IMPORTS, *PODS,
]  # fmt: skip

NAMELESS: Final = [
    relabel(
        sliced("nameless-a", "x", [ready("10.244.8.4")], HTTP),
        {"kubernetes.io/service-name": None},
    )
]
"""A slice without a Service: CoreDNS's plugin does not reply to its address at all (D13)."""

CROSSING: Final = [
    external("ext-cross", "ext-back.testns.svc.cluster2.example"),
    external("ext-back", "ext-cross.testns.svc.cluster.local"),
]
"""A loop through two zones: CoreDNS's plugin follows it until CoreDNS dies (D14)."""

OBJECTS: Final[list[Object]] = [*ASKABLE, *NAMELESS, *CROSSING]
