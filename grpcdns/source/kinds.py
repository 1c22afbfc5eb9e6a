"""The watched kinds: one row each, with everything the source knows of it.

``WATCHED`` stands at the end. Above it are what its rows name: a struct of the API's JSON, with
the fields that DNS needs and no others, a function that makes the ``core`` object of it, and a
function that picks the selector among the options.

To watch another kind, add its struct, its converter and its row here; its object to
``core/cluster/objects.py``.

Beware: whatever the API's schema says, lists and strings are null in real clusters. Here null is
empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from grpcdns.config.options import Config
from grpcdns.config.selector import Requirement, Selector, parse_selector
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointDetails,
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceCIDR,
    ServiceImport,
)
from grpcdns.core.dns.names import reverse_zones

SERVICE_NAME: Final = "kubernetes.io/service-name"
IMPORTED_SERVICE_NAME: Final = "multicluster.kubernetes.io/service-name"
SOURCE_CLUSTER: Final = "multicluster.kubernetes.io/source-cluster"
LABEL_LIMIT: Final = 63
"""RFC 1035 2.3.4: a Pod's longer name cannot be a label."""


class Read(msgspec.Struct, gc=False, rename="camel", omit_defaults=True):
    """Part of the API's JSON; fields not named are ignored."""


class ApiMeta(Read):
    name: str | None = None
    namespace: str | None = None
    resource_version: str | None = None
    labels: dict[str, str | None] | None = None
    annotations: dict[str, str | None] | None = None
    deletion_timestamp: str | None = None


class ApiAny(Read):
    """What every object has; a Status too."""

    kind: str | None = None
    metadata: ApiMeta | None = None


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
    traffic_distribution: str | None = None


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
    serving: bool | None = None
    terminating: bool | None = None


class ApiTargetRef(Read):
    name: str | None = None


class ApiHint(Read):
    name: str | None = None


class ApiHints(Read):
    for_zones: list[ApiHint] | None = None
    for_nodes: list[ApiHint] | None = None


class ApiEndpoint(Read):
    addresses: list[str] | None = None
    conditions: ApiConditions | None = None
    hostname: str | None = None
    target_ref: ApiTargetRef | None = None
    zone: str | None = None
    node_name: str | None = None
    hints: ApiHints | None = None


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
    traffic_distribution: str | None = None


class ApiServiceImport(ApiAny):
    spec: ApiServiceImportSpec | None = None


class ApiServiceCIDRSpec(Read):
    cidrs: list[str] | None = None


class ApiServiceCIDR(ApiAny):
    spec: ApiServiceCIDRSpec | None = None


NO_META: Final = ApiMeta()
_NO_SERVICE: Final = ApiServiceSpec()
_NO_STATUS: Final = ApiServiceStatus()
_NO_BALANCER: Final = ApiLoadBalancer()
NO_POD: Final = ApiPodStatus()
_NO_IMPORT: Final = ApiServiceImportSpec()
_NO_CIDRS: Final = ApiServiceCIDRSpec()
_NO_CONDITIONS: Final = ApiConditions()
_NO_HINTS: Final = ApiHints()


class Fields(NamedTuple):
    """Which of the fields that only some options need are kept: fewer cost less memory, and make
    fewer changes. ``topology``: a Service's trafficDistribution, its endpoints' nodes and hints,
    and whether they are terminating. ``conditions``: that, and whether they are serving.
    ``imports``: a ServiceImport's trafficDistribution."""

    zones: bool = True
    pods: bool = True
    topology: bool = True
    conditions: bool = True
    imports: bool = True


def _namespace(_raw: ApiAny, meta: ApiMeta, _fields: Fields) -> Namespace:
    return Namespace("", meta.name or "")


def _service(raw: ApiService, meta: ApiMeta, fields: Fields) -> Service:
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
        traffic_distribution=(spec.traffic_distribution or "") if fields.topology else "",
    )


def _endpoint_slice(raw: ApiEndpointSlice, meta: ApiMeta, fields: Fields) -> EndpointSlice:
    labels = meta.labels or {}
    zones, pods, topology, conditions, _ = fields
    detailed = topology or conditions
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
                    _details(point, fields) if detailed else None,
                )
                for point in raw.endpoints or ()
            ]
        ),
        ports=_ports(raw.ports),
        imported_service=labels.get(IMPORTED_SERVICE_NAME) or "",
        cluster=labels.get(SOURCE_CLUSTER) or "",
    )


def _details(point: ApiEndpoint, fields: Fields) -> EndpointDetails | None:
    conditions = point.conditions or _NO_CONDITIONS
    hints = point.hints or _NO_HINTS
    # The API's rule: a condition serving that is not given is as ready is.
    ready = conditions.ready is not False
    known = fields.conditions and conditions.serving is not None
    details = EndpointDetails(
        serving=conditions.serving is True if known else ready,
        terminating=conditions.terminating is True,
    )
    if fields.topology:
        details = msgspec.structs.replace(
            details,
            node=(point.node_name or "").lower(),
            for_zones=_hinted(hints.for_zones),
            for_nodes=_hinted(hints.for_nodes),
        )
    return None if details == EndpointDetails(serving=ready) else details


def _hinted(hints: list[ApiHint] | None) -> tuple[str, ...]:
    return tuple([hint.name.lower() for hint in hints or () if hint.name])


def _pod(raw: ApiPod, meta: ApiMeta, _fields: Fields) -> Pod:
    return Pod(meta.namespace or "", meta.name or "", (raw.status or NO_POD).pod_ip or "")


def _service_import(raw: ApiServiceImport, meta: ApiMeta, fields: Fields) -> ServiceImport:
    spec = raw.spec or _NO_IMPORT
    return ServiceImport(
        namespace=meta.namespace or "",
        name=meta.name or "",
        type=spec.type or "ClusterSetIP",
        ips=tuple(spec.ips or ()),
        ports=_ports(spec.ports),
        traffic_distribution=(spec.traffic_distribution or "") if fields.imports else "",
    )


def _service_cidr(raw: ApiServiceCIDR, meta: ApiMeta, _fields: Fields) -> ServiceCIDR:
    cidrs = tuple((raw.spec or _NO_CIDRS).cidrs or ())
    for cidr in cidrs:
        reverse_zones(cidr)  # what is no network cannot be read
    return ServiceCIDR("", meta.name or "", cidrs)


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


FINISHED: Final = ("Succeeded", "Failed", "Unknown")


def pod_is_finished(pod: Any) -> bool:
    """Whether a Pod has ended, by its phase."""
    return (pod.status or NO_POD).phase in FINISHED


def _by_labels(config: Config) -> Selector:
    return parse_selector(config.labels)


def _by_namespace_labels(config: Config) -> Selector:
    return parse_selector(config.namespace_labels)


def _slices(config: Config) -> Selector:
    """Without endpoints, only the slices of ServiceImports, whose addresses are in them."""
    selector = _by_labels(config)
    if config.no_endpoints:
        return selector.also(Requirement(IMPORTED_SERVICE_NAME, "exists"))
    return selector


def _everything(_config: Config) -> Selector:
    return Selector()


class Watched(NamedTuple):
    """One kind. ``api_version`` is GROUP/VERSION, VERSION for the core group. ``older``: versions
    of the same shape, for an API that does not serve that one, the best first.

    ``selector``: the label selector under the options, as in CoreDNS ``labels`` or
    ``namespace_labels``. ``field_selector``: the API's field selector, "" for none.
    ``namespaced``: whether objects are in a Namespace.
    ``finished``: whether an object has ended although it is not deleted; None for a kind whose
    objects cannot. An object of a kind that can is not added while it is terminating, either.
    ``optional_fields``: which of `Fields` decide what ``convert`` leaves out.
    ``optional``: without the right to read it, or an API that serves it, there are none.
    """

    name: str
    api_version: str
    plural: str
    shape: type[ApiAny]
    convert: Callable[[Any, ApiMeta, Fields], Object]
    selector: Callable[[Config], Selector]
    field_selector: str = ""
    namespaced: bool = True
    finished: Callable[[Any], bool] | None = None
    optional_fields: tuple[str, ...] = ()
    older: tuple[str, ...] = ()
    optional: bool = False

    def is_read_alike(self, old: Fields, new: Fields) -> bool:
        """Whether objects are the same with both."""
        return all(getattr(old, name) == getattr(new, name) for name in self.optional_fields)

    @property
    def api_versions(self) -> tuple[str, ...]:
        """All that can be read, the best first."""
        return self.api_version, *self.older

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the API lists the objects of all namespaces, in each version."""
        return tuple(path_of(version, self.plural) for version in self.api_versions)


def path_of(api_version: str, plural: str) -> str:
    """Where the API lists the objects of a kind, of all namespaces."""
    root = "apis" if "/" in api_version else "api"
    return f"/{root}/{api_version}/{plural}"


WATCHED: Final[dict[Kind, Watched]] = {
    Kind.NAMESPACE: Watched(
        "Namespace", "v1", "namespaces", ApiAny, _namespace, _by_namespace_labels,
        namespaced=False,
    ),
    Kind.SERVICE: Watched(
        "Service", "v1", "services", ApiService, _service, _by_labels,
        optional_fields=("topology",),
    ),
    Kind.ENDPOINT_SLICE: Watched(
        "EndpointSlice", "discovery.k8s.io/v1", "endpointslices", ApiEndpointSlice,
        _endpoint_slice, _slices,
        optional_fields=("zones", "pods", "topology", "conditions"),
    ),
    Kind.POD: Watched(
        "Pod", "v1", "pods", ApiPod, _pod, _by_labels,
        field_selector=",".join(f"status.phase!={phase}" for phase in FINISHED),
        finished=pod_is_finished,
    ),
    Kind.SERVICE_IMPORT: Watched(
        "ServiceImport", "multicluster.x-k8s.io/v1beta1", "serviceimports", ApiServiceImport,
        _service_import, _by_namespace_labels, optional_fields=("imports",),
        older=("multicluster.x-k8s.io/v1alpha1",),
    ),
    Kind.SERVICE_CIDR: Watched(
        "ServiceCIDR", "networking.k8s.io/v1", "servicecidrs", ApiServiceCIDR, _service_cidr,
        _everything, namespaced=False, older=("networking.k8s.io/v1beta1",), optional=True,
    ),
}  # fmt: skip
