"""Random clusters, as the API's objects: small pools of names and addresses, so that objects share
them. A real API server accepts each object."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from harness.api import Object
from harness.objects import namespace, port, service_import
from tests.conformance.cluster import (
    EXPOSED,
    external,
    imported,
    relabel,
    running,
    sliced,
    svc,
    tcp,
    with_status,
)

NAMES: Final = ("web", "db", "x", "svc", "pod", "ns", "any", "a" * 63)
V4: Final = tuple(f"10.244.200.{number}" for number in range(1, 9))
V6: Final = ("fd00:200::", "fd00:200::1", "fd00:200::a:b", "2001:db8:200:0:1:2:3:4", "fd00:200:1::")
CLUSTER_V4: Final = tuple(f"10.96.200.{number}" for number in range(1, 30))
CLUSTER_V6: Final = tuple(f"fd00:96::c8{number:02}" for number in range(1, 20))
EXTERNAL: Final = ("203.0.113.200", "203.0.113.201", "2001:db8:113::1")
HOSTNAMES: Final = ("web-0", "web-1", "10-244-200-1", "zone", "h" * 63)
POD_NAMES: Final = ("pod-a", "pod-b", "web-0", "dotted.pod", "p" * 63, "p" * 64)
TOPOLOGY: Final = ("zone-a", "Zone-B", "dotted.zone")
CLUSTERS: Final = ("east", "West")
OUTSIDE: Final = ("www.example.net", "alias.example.net", "nothing.example.net", "localhost")

maybe = st.booleans()
SERVICE_PORTS: Final = st.lists(
    st.sampled_from(
        [(80, "http", "TCP"), (53, "dns", "UDP"), (53, "dns-tcp", "TCP"), (99, "sctp", "SCTP")]
    ),
    min_size=1, max_size=3, unique=True,
).map(lambda ports: [port(*one) for one in ports]) | st.just([port(80)])  # fmt: skip
SLICE_PORTS: Final = st.lists(
    st.sampled_from(
        [(80, "http", "TCP"), (8080, "http", "TCP"), (53, "dns", "UDP"), (53, "dns-tcp", "TCP"),
         (None, "none", "TCP"), (99, "sctp", "SCTP")]
    ),
    max_size=3, unique_by=lambda one: one[1],
).map(lambda ports: [tcp(*one) for one in ports]) | st.just([tcp(80)])  # fmt: skip


@st.composite
def endpoint(draw: st.DrawFn, family: str) -> Object:
    pool = V4 if family == "IPv4" else V6
    if draw(st.integers(0, 9)) == 0 and family == "IPv4":
        pool = CLUSTER_V4[:3]
    made: Object = {"addresses": [draw(st.sampled_from(pool))]}
    if (is_ready := draw(st.sampled_from((True, True, True, False, None)))) is not None:
        made["conditions"] = {"ready": is_ready}
    if draw(maybe) and draw(maybe):
        made["hostname"] = draw(st.sampled_from(HOSTNAMES))
    if draw(maybe):
        made["targetRef"] = {"kind": "Pod", "name": draw(st.sampled_from(POD_NAMES))}
    if draw(maybe):
        made["zone"] = draw(st.sampled_from(TOPOLOGY))
    return made


@st.composite
def a_slice(draw: st.DrawFn, number: int, ns: str) -> Object:
    family = draw(st.sampled_from(("IPv4", "IPv4", "IPv6")))
    points = draw(st.lists(endpoint(family), max_size=4))
    ports = draw(SLICE_PORTS)
    owner = draw(st.sampled_from(NAMES))
    if draw(st.integers(0, 3)) == 0:
        cluster = draw(st.sampled_from(CLUSTERS))
        made = imported(f"slice-{number}", owner, cluster, points, ports)
        made = {**made, "addressType": family}
        if draw(maybe):  # both at once, as an MCS controller may label them
            made = relabel(made, {"kubernetes.io/service-name": owner})
    else:
        made = sliced(f"slice-{number}", owner, points, ports, family=family)
    return _in(draw, made, ns)


@st.composite
def a_service(draw: st.DrawFn, name: str, ns: str, ips: tuple[str, str]) -> Object:
    ports = draw(SERVICE_PORTS)
    options: dict[str, Any] = {"ports": ports}
    if draw(st.integers(0, 4)) == 0:
        options["externalIPs"] = draw(
            st.lists(st.sampled_from(EXTERNAL), min_size=1, max_size=2, unique=True)
        )
    shape = draw(st.sampled_from(("cluster", "cluster", "dual", "headless", "headless", "name",
                                  "balancer")))  # fmt: skip
    if shape == "name":
        inside = st.tuples(st.sampled_from(NAMES), st.sampled_from(("cluster.local",))).map(
            lambda pair: f"{pair[0]}.{ns}.svc.{pair[1]}"
        )
        target = draw(inside | st.sampled_from((*OUTSIDE, "192.0.2.7", "cluster.local")))
        return _in(draw, external(name, target, ports=ports), ns)
    if shape == "headless":
        if draw(st.integers(0, 3)) == 0:
            options["ports"] = []
        return _in(draw, svc(name, headless=True, **options), ns)
    if shape == "dual":
        made = svc(name, *ips, ipFamilies=["IPv4", "IPv6"], ipFamilyPolicy="RequireDualStack",
                   **options)  # fmt: skip
        return _in(draw, made, ns)
    made = svc(name, ips[0], **options, type="LoadBalancer" if shape == "balancer" else "ClusterIP")
    if shape == "balancer" and draw(maybe):
        point = draw(st.sampled_from(({"ip": EXTERNAL[0]}, {"hostname": "www.example.net"},
                                      {"ip": EXTERNAL[2]})))  # fmt: skip
        made = with_status(made, point)
    return _in(draw, made, ns)


@st.composite
def an_import(draw: st.DrawFn, name: str, ns: str) -> Object:
    ips = draw(st.sampled_from(([], ["10.97.200.1"], ["10.97.200.2", "fd00:97::2"])))
    ports = [one for one in draw(SLICE_PORTS) if "port" in one]
    return _in(draw, service_import(name, ips, ports, namespace=ns), ns)


@st.composite
def a_pod(draw: st.DrawFn, number: int, ns: str) -> Object:
    ip = draw(st.sampled_from((*V4[:4], *V6, "")))
    phase = draw(st.sampled_from(("Running", "Running", "Succeeded", "Failed")))
    return _in(draw, running(f"pod-{number}", ip, phase if ip else "Pending"), ns)


def _in(draw: st.DrawFn, obj: Object, ns: str) -> Object:
    labels = EXPOSED if draw(maybe) else {}
    return relabel({**obj, "metadata": {**obj["metadata"], "namespace": ns}}, labels)


@st.composite
def objects_in(draw: st.DrawFn, namespaces: tuple[str, ...], size: int = 4) -> list[Object]:
    """Some objects of every kind but Namespaces."""
    made: list[Object] = []
    v4, v6 = iter(CLUSTER_V4), iter(CLUSTER_V6)
    several = st.integers(0, size)
    for ns in namespaces:
        services = draw(st.lists(st.sampled_from(NAMES), max_size=size, unique=True))
        made += (draw(a_service(name, ns, (next(v4), next(v6)))) for name in services)
        made += (draw(a_slice(number, ns)) for number in range(draw(several)))
        imports = draw(st.lists(st.sampled_from(NAMES[:3]), max_size=2, unique=True))
        made += (draw(an_import(name, ns)) for name in imports)
        made += (draw(a_pod(number, ns)) for number in range(draw(several) // 2))
    return made


@st.composite
def clusters(
    draw: st.DrawFn, names: tuple[str, ...] = ("one", "two"), size: int = 4
) -> list[Object]:
    """A cluster's objects, its Namespaces first; one of them may be missing."""
    shown = draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
    spaces = [namespace(name, labels=EXPOSED if draw(maybe) else {}) for name in shown]
    return [*spaces, *draw(objects_in(names, size))]
