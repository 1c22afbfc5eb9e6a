"""The EndpointSlices that a cluster's controllers would have made of hand-written manifests.

    Endpoints behind a Service without selector   as the endpointslice-mirroring controller does
    Pods behind a Service with one                as the endpointslice controller does

Only for a Service that has no slice at all: what ``kubectl get`` prints has them already. The one
liberty taken: Endpoints of a Service with a selector stand in for it where no Pods are given. An
ExternalName Service that kept its selector has no slices, as in a cluster.

Order and names are fixed (the controllers' are random): same manifests, same slices. What they say
is compared with the real controllers' by ``tests/differential/test_controllers.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Final, NamedTuple

import msgspec

from grpcdns.config import selector
from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, Port
from grpcdns.core.dns.names import address_from_text
from grpcdns.source.kinds import (
    NO_META,
    SERVICE_NAME,
    ApiAny,
    ApiPort,
    ApiService,
    ApiServiceSpec,
    Read,
    pod_label,
)

MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
HEADLESS: Final = "service.kubernetes.io/headless"
SKIP_MIRROR: Final = "endpointslice.kubernetes.io/skip-mirror"
LEADER: Final = "control-plane.alpha.kubernetes.io/leader"
MIRRORED_PER_SUBSET: Final = 1000
ENDPOINTS_PER_SLICE: Final = 100
EXTERNAL_NAME: Final = "ExternalName"
_DOTTED: Final = re.compile(r"[0-9]+(\.[0-9]+){3}")
_LEADING_ZEROS: Final = re.compile(r"\b0+(?=[0-9])")
TERMINAL: Final = frozenset({"Succeeded", "Failed"})


class ServicePort(ApiPort):
    target_port: int | str | None = None


class ServiceSpec(ApiServiceSpec):
    ports: list[ServicePort] | None = None  # type: ignore[assignment]
    selector: dict[str, str] | None = None
    ip_families: list[str] | None = None
    publish_not_ready_addresses: bool | None = None


class ManifestService(ApiService):
    """A Service with what the controllers look at."""

    spec: ServiceSpec | None = None


class _Ref(Read):
    name: str | None = None
    uid: str | None = None


class _Address(Read):
    ip: str | None = None
    hostname: str | None = None
    target_ref: _Ref | None = None


class _Subset(Read):
    addresses: list[_Address] | None = None
    not_ready_addresses: list[_Address] | None = None
    ports: list[ApiPort] | None = None


class ManifestEndpoints(ApiAny):
    subsets: list[_Subset] | None = None


class _ContainerPort(Read):
    name: str | None = None
    protocol: str | None = None
    container_port: int | None = None


class _Container(Read):
    ports: list[_ContainerPort] | None = None
    restart_policy: str | None = None


class _PodSpec(Read):
    hostname: str | None = None
    subdomain: str | None = None
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None


class _Condition(Read):
    type: str | None = None
    status: str | None = None


class _PodIP(Read):
    ip: str | None = None


class _PodStatus(Read):
    phase: str | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")
    pod_ips: list[_PodIP] | None = msgspec.field(default=None, name="podIPs")
    conditions: list[_Condition] | None = None


class ManifestPod(ApiAny):
    """A Pod with what the controllers look at."""

    spec: _PodSpec | None = None
    status: _PodStatus | None = None


class Made(NamedTuple):
    """A slice, and the labels it would have."""

    slice: EndpointSlice
    labels: Mapping[str, str | None]


class _Hold(NamedTuple):
    """An endpoint on its way into a slice."""

    family: str
    ports: tuple[Port, ...]
    endpoint: Endpoint


def make_slices(
    services: Iterable[ManifestService],
    endpoints: Iterable[ManifestEndpoints],
    pods: Iterable[ManifestPod],
    served: frozenset[tuple[str, str]],
) -> Iterator[Made]:
    """The slices of every Service that has none; ``served`` are the (namespace, name) that have."""
    by_name = {_name(obj): obj for obj in endpoints}
    selected = _Pods(pods)
    for service in services:
        if _name(service) in served:
            continue
        spec = service.spec or ServiceSpec()
        if spec.selector and spec.type == EXTERNAL_NAME:
            continue
        made = list(_from_pods(service, spec, selected)) if spec.selector else []
        if made:
            yield from made
        elif (written := by_name.get(_name(service))) is not None:
            yield from _mirror(written)


class _Pods:
    """Pods by namespace and by each of their labels: a cluster has many of both."""

    def __init__(self, pods: Iterable[ManifestPod]) -> None:
        self._by_label: dict[tuple[str, str, str], list[ManifestPod]] = {}
        for pod in pods:
            namespace, _ = _name(pod)
            for key, value in ((pod.metadata or NO_META).labels or {}).items():
                self._by_label.setdefault((namespace, key, value or ""), []).append(pod)

    def of(self, namespace: str, wanted: Mapping[str, str]) -> list[ManifestPod]:
        """Those with all of these labels (at least one), in order."""
        groups = [self._by_label.get((namespace, *label), []) for label in wanted.items()]
        selector_ = selector.from_api(wanted)
        return [
            pod
            for pod in min(groups, key=len)
            if selector_.matches(_texts((pod.metadata or NO_META).labels))
        ]


# Endpoints, mirrored.


def _mirror(endpoints: ManifestEndpoints) -> Iterator[Made]:
    meta = endpoints.metadata or NO_META
    labels = meta.labels or {}
    if labels.get(SKIP_MIRROR) == "true" or LEADER in (meta.annotations or {}):
        return
    holds: list[_Hold] = []
    for ports, addresses in _repack(endpoints.subsets or ()):
        ready_first = sorted(addresses.items(), key=lambda item: not item[1])
        for address, ready in ready_first[:MIRRORED_PER_SUBSET]:
            parsed = _parse(address.ip)
            if parsed is not None:
                family, text = parsed
                pod = pod_label(address.pod)
                holds.append(_Hold(family, ports, Endpoint((text,), ready, address.hostname, pod)))
    managed = {**labels, MANAGED_BY: "endpointslicemirroring-controller.k8s.io"}
    yield from _pack(_name(endpoints), "mirror", holds, managed, MIRRORED_PER_SUBSET)


class _Known(NamedTuple):
    """An address of Endpoints; of one object it is the same one, whatever else it says."""

    ip: str
    uid: str
    hostname: str
    pod: str


def _repack(subsets: Iterable[_Subset]) -> list[tuple[tuple[Port, ...], dict[_Known, bool]]]:
    """Subsets in the API's canonical form: ports that have the very same addresses belong
    together, and an address that is once not ready at a port is not ready there."""
    seen: dict[tuple[str, str], _Known] = {}
    by_port: dict[Port | None, dict[_Known, bool]] = {}
    for subset in subsets:
        for port in _ports(subset.ports) or (None,):
            addresses = by_port.setdefault(port, {})
            for ready, group in (
                (True, subset.addresses or ()),
                (False, subset.not_ready_addresses or ()),
            ):
                for raw in group:
                    known = _known(raw)
                    known = seen.setdefault((known.ip, known.uid), known)
                    addresses[known] = ready and addresses.get(known, True)
    grouped: dict[frozenset[tuple[_Known, bool]], list[Port]] = {}
    for port_, addresses in by_port.items():
        ports = grouped.setdefault(frozenset(addresses.items()), [])
        if port_ is not None:
            ports.append(port_)
    return [(tuple(ports), dict(sorted(group))) for group, ports in grouped.items()]


def _known(raw: _Address) -> _Known:
    ref = raw.target_ref or _Ref()
    return _Known(raw.ip or "", ref.uid or "", raw.hostname or "", ref.name or "")


# Pods, selected.


def _from_pods(service: ManifestService, spec: ServiceSpec, pods: _Pods) -> Iterator[Made]:
    namespace, name = _name(service)
    holds: list[_Hold] = []
    for pod in pods.of(namespace, spec.selector or {}):
        meta = pod.metadata or NO_META
        status, pod_spec = pod.status or _PodStatus(), pod.spec or _PodSpec()
        if status.phase in TERMINAL:
            continue
        ready = spec.publish_not_ready_addresses or (
            _is_ready(status) and meta.deletion_timestamp is None
        )
        at_home = pod_spec.subdomain == name
        hostname = (pod_spec.hostname or "") if at_home else ""
        ports = _pod_ports(spec, pod_spec)
        for family, text in _addresses(spec, status):
            endpoint = Endpoint((text,), bool(ready), hostname, pod_label(meta.name or ""))
            holds.append(_Hold(family, ports, endpoint))
    labels = {
        key: value
        for key, value in ((service.metadata or NO_META).labels or {}).items()
        if key not in (HEADLESS, MANAGED_BY)
    }
    if spec.cluster_ip == "None":
        labels[HEADLESS] = ""
    labels[MANAGED_BY] = "endpointslice-controller.k8s.io"
    yield from _pack((namespace, name), "pods", holds, labels, ENDPOINTS_PER_SLICE)


def _is_ready(status: _PodStatus) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in status.conditions or ())


def _addresses(spec: ServiceSpec, status: _PodStatus) -> list[tuple[str, str]]:
    """The Pod's addresses of the Service's families: those it names, else those of its own
    addresses, else that of the Pod's first address (a headless Service, before the API has
    filled in the families)."""
    texts = [status.pod_ip, *(each.ip for each in status.pod_ips or ())]
    found = list(dict.fromkeys(filter(None, map(_parse, texts))))
    own = [
        parsed[0] for parsed in map(_parse, [*(spec.cluster_ips or ()), spec.cluster_ip]) if parsed
    ]
    families = spec.ip_families or own or [family for family, _ in found[:1]]
    return [each for each in found if each[0] in families]


def _pod_ports(spec: ServiceSpec, pod: _PodSpec) -> tuple[Port, ...]:
    """The Service's ports as this Pod serves them; a name that it has not is left out."""
    found = []
    for port in spec.ports or ():
        protocol = port.protocol or "TCP"
        target = port.target_port or port.port or 0
        number = target if isinstance(target, int) else _named_port(pod, target, protocol)
        if number is not None:
            found.append(Port(port.name or "", protocol, number))
    return tuple(found)


def _named_port(pod: _PodSpec, name: str, protocol: str) -> int | None:
    containers = list(pod.containers or ())
    containers += [each for each in pod.init_containers or () if each.restart_policy == "Always"]
    for container in containers:
        for port in container.ports or ():
            if port.name == name and (port.protocol or "TCP") == protocol:
                return port.container_port
    return None


# Both.


def _pack(
    owner: tuple[str, str],
    maker: str,
    holds: Iterable[_Hold],
    labels: Mapping[str, str | None],
    limit: int,
) -> Iterator[Made]:
    """Endpoints into slices: one address family and one set of ports each, ``limit`` endpoints."""
    groups: dict[tuple[str, tuple[Port, ...]], list[Endpoint]] = {}
    for family, ports, endpoint in holds:
        group = groups.setdefault((family, ports), [])
        if endpoint not in group[-1:]:
            group.append(endpoint)
    namespace, name = owner
    number = 0
    for family, ports in sorted(groups, key=repr):
        group = groups[family, ports]
        for at in range(0, len(group), limit):
            yield Made(
                EndpointSlice(
                    namespace,
                    f"{name}-{maker}-{number}",
                    name,
                    family,
                    tuple(group[at : at + limit]),
                    ports,
                ),
                {**labels, SERVICE_NAME: name},
            )
            number += 1


def _name(obj: ApiAny) -> tuple[str, str]:
    meta = obj.metadata or NO_META
    return meta.namespace or "default", meta.name or ""


def _texts(labels: Mapping[str, str | None] | None) -> dict[str, str]:
    return {key: value or "" for key, value in (labels or {}).items()}


def _ports(ports: Iterable[ApiPort] | None) -> tuple[Port, ...]:
    return tuple(
        Port(p.name or "", p.protocol or "TCP", -1 if p.port is None else p.port)
        for p in ports or ()
    )


def _parse(text: str | None) -> tuple[str, str] | None:
    """An address's family, and the address as the API writes it; None for what is none. As Go reads
    them: zeros may lead in IPv4, and an IPv4 address mapped into IPv6 is the IPv4 address."""
    text = _LEADING_ZEROS.sub("", text or "") if _DOTTED.fullmatch(text or "") else text
    packed = address_from_text(text or "")
    if packed is None:
        return None
    address = ip_address(packed)
    return f"IPv{address.version}", str(address)
