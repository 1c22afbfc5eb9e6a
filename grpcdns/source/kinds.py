"""The shapes of the API's JSON, as far as DNS needs them, and what makes ``core`` objects of them.

May live here: one struct for each shape, naming only the fields read, and one function for each
kind. Beware: whatever the API's schema says, lists and strings are null in real clusters (facts
F10, P6); here null is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from grpcdns.config.options import Config
from grpcdns.config.selector import Requirement, Selector, parse_selector
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceImport,
)

SERVICE_NAME: Final = "kubernetes.io/service-name"
IMPORTED_SERVICE_NAME: Final = "multicluster.kubernetes.io/service-name"
SOURCE_CLUSTER: Final = "multicluster.kubernetes.io/source-cluster"
LABEL_LIMIT: Final = 63
"""RFC 1035 2.3.4: a pod whose name is longer cannot be a label."""


class Read(msgspec.Struct, gc=False, rename="camel"):
    """What is read of the API's JSON: unknown fields are passed over."""


class ApiMeta(Read):
    name: str | None = None
    namespace: str | None = None
    resource_version: str | None = None
    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None
    deletion_timestamp: str | None = None


class ApiCause(Read):
    reason: str | None = None
    message: str | None = None


class ApiDetails(Read):
    causes: list[ApiCause] | None = None
    retry_after_seconds: float | None = None


class ApiAny(Read):
    """Any object, as far as all have the same shape; a Status too."""

    kind: str | None = None
    metadata: ApiMeta | None = None


class ApiStatus(Read):
    code: int | None = None
    reason: str | None = None
    message: str | None = None
    details: ApiDetails | None = None


class ApiPort(Read):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class ApiServiceSpec(Read):
    type: str | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    cluster_ips: list[str] | None = msgspec.field(default=None, name="clusterIPs")
    external_name: str | None = None
    external_ips: list[str] | None = msgspec.field(default=None, name="externalIPs")
    ports: list[ApiPort] | None = None


class ApiIngress(Read):
    ip: str | None = None
    hostname: str | None = None


class ApiLoadBalancer(Read):
    ingress: list[ApiIngress] | None = None


class ApiServiceStatus(Read):
    load_balancer: ApiLoadBalancer | None = None


class ApiService(ApiAny):
    spec: ApiServiceSpec | None = None
    status: ApiServiceStatus | None = None


class ApiConditions(Read):
    ready: bool | None = None


class ApiTargetRef(Read):
    name: str | None = None


class ApiEndpoint(Read):
    addresses: list[str] | None = None
    conditions: ApiConditions | None = None
    hostname: str | None = None
    target_ref: ApiTargetRef | None = None
    zone: str | None = None


class ApiEndpointSlice(ApiAny):
    address_type: str | None = None
    endpoints: list[ApiEndpoint] | None = None
    ports: list[ApiPort] | None = None


class ApiPodStatus(Read):
    phase: str | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")


class ApiPod(ApiAny):
    status: ApiPodStatus | None = None


class ApiServiceImportSpec(Read):
    type: str | None = None
    ips: list[str] | None = None
    ports: list[ApiPort] | None = None


class ApiServiceImport(ApiAny):
    spec: ApiServiceImportSpec | None = None


class ApiListMeta(Read):
    resource_version: str | None = None
    continue_: str | None = msgspec.field(default=None, name="continue")
    remaining_item_count: int | None = None


class ApiList(Read):
    metadata: ApiListMeta | None = None
    items: list[msgspec.Raw] | None = None


class ApiRawEvent(Read):
    type: str | None = None
    object: msgspec.Raw = msgspec.Raw(b"{}")


NO_META: Final = ApiMeta()
_NO_SERVICE: Final = ApiServiceSpec()
_NO_STATUS: Final = ApiServiceStatus()
_NO_BALANCER: Final = ApiLoadBalancer()
NO_POD: Final = ApiPodStatus()
_NO_IMPORT: Final = ApiServiceImportSpec()


class Fields(NamedTuple):
    """Which fields are kept that only some options need: less memory, and fewer changes."""

    zones: bool = True
    pods: bool = True


def _namespace(_raw: ApiAny, meta: ApiMeta, _fields: Fields) -> Namespace:
    return Namespace("", meta.name or "")


def _service(raw: ApiService, meta: ApiMeta, _fields: Fields) -> Service:
    spec = raw.spec or _NO_SERVICE
    balancer = (raw.status or _NO_STATUS).load_balancer or _NO_BALANCER
    ingress = [point.ip or point.hostname or "" for point in balancer.ingress or ()]
    return Service(
        namespace=meta.namespace or "",
        name=meta.name or "",
        type=spec.type or "ClusterIP",
        cluster_ips=tuple(spec.cluster_ips or (spec.cluster_ip or "",)),
        external_name=spec.external_name or "",
        ports=_ports(spec.ports),
        external_ips=(*(spec.external_ips or ()), *ingress),
    )


def _endpoint_slice(raw: ApiEndpointSlice, meta: ApiMeta, fields: Fields) -> EndpointSlice:
    labels = meta.labels or {}
    zones, pods = fields
    return EndpointSlice(
        namespace=meta.namespace or "",
        name=meta.name or "",
        service=labels.get(SERVICE_NAME) or "",
        address_type=raw.address_type or "IPv4",
        endpoints=tuple(
            [
                Endpoint(
                    tuple(point.addresses or ()),
                    point.conditions is None or point.conditions.ready is not False,
                    point.hostname or "",
                    pod_label(point.target_ref.name) if pods and point.target_ref else "",
                    (point.zone or "").lower() if zones else "",
                )
                for point in raw.endpoints or ()
            ]
        ),
        ports=_ports(raw.ports),
        imported_service=labels.get(IMPORTED_SERVICE_NAME) or "",
        cluster=labels.get(SOURCE_CLUSTER) or "",
    )


def _pod(raw: ApiPod, meta: ApiMeta, _fields: Fields) -> Pod:
    return Pod(meta.namespace or "", meta.name or "", (raw.status or NO_POD).pod_ip or "")


def _service_import(raw: ApiServiceImport, meta: ApiMeta, _fields: Fields) -> ServiceImport:
    spec = raw.spec or _NO_IMPORT
    return ServiceImport(
        namespace=meta.namespace or "",
        name=meta.name or "",
        type=spec.type or "ClusterSetIP",
        ips=tuple(spec.ips or ()),
        ports=_ports(spec.ports),
    )


def _ports(ports: list[ApiPort] | None) -> tuple[Port, ...]:
    if not ports:
        return ()
    return tuple(
        [Port(p.name or "", p.protocol or "", -1 if p.port is None else p.port) for p in ports]
    )


def pod_label(name: str | None) -> str:
    """A Pod's name as a label, "" where it cannot be one."""
    name = name or ""
    return name if len(name) <= LABEL_LIMIT else ""


Convert = Callable[[Any, ApiMeta, Fields], Object]

SHAPES: Final[dict[Kind, tuple[str, type[ApiAny], Convert]]] = {
    Kind.NAMESPACE: ("Namespace", ApiAny, _namespace),
    Kind.SERVICE: ("Service", ApiService, _service),
    Kind.ENDPOINT_SLICE: ("EndpointSlice", ApiEndpointSlice, _endpoint_slice),
    Kind.POD: ("Pod", ApiPod, _pod),
    Kind.SERVICE_IMPORT: ("ServiceImport", ApiServiceImport, _service_import),
}
"""For each kind: its name in the API, the shape of its JSON, and what makes an object of it."""


PATHS: Final = {
    Kind.NAMESPACE: "/api/v1/namespaces",
    Kind.SERVICE: "/api/v1/services",
    Kind.ENDPOINT_SLICE: "/apis/discovery.k8s.io/v1/endpointslices",
    Kind.POD: "/api/v1/pods",
    Kind.SERVICE_IMPORT: "/apis/multicluster.x-k8s.io/v1alpha1/serviceimports",
}
LIVE_PODS: Final = "status.phase!=Succeeded,status.phase!=Failed,status.phase!=Unknown"


_BY_NAMESPACE_LABELS: Final = frozenset({Kind.NAMESPACE, Kind.SERVICE_IMPORT})


def selector_of(kind: Kind, config: Config) -> Selector:
    """Which objects of a kind."""
    text = config.namespace_labels if kind in _BY_NAMESPACE_LABELS else config.labels
    selector = parse_selector(text)
    if kind is Kind.ENDPOINT_SLICE and config.no_endpoints:
        return selector.also(Requirement(IMPORTED_SERVICE_NAME, "exists"))
    return selector
