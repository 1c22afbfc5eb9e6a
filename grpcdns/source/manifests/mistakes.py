"""Mistakes in manifests: what the API would refuse, and what is most likely not intended.

    foreign(document)     an object of no kind that DNS reads: was one meant?
    doubts(raw)           an object of such a kind: what in it cannot be meant
    Mistakes              what was found in one file, with lines

Group and kind together say what an object is: a Service of serving.knative.dev is another kind and
ignored, a ``Servce`` in v1 is a typing error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, Final, NamedTuple

from grpcdns.core.dns.names import MAX_LABEL, address_from_text
from grpcdns.source.kinds import (
    IMPORTED_SERVICE_NAME,
    SERVICE_NAME,
    WATCHED,
    ApiAny,
    ApiEndpointSlice,
    ApiPort,
    ApiServiceImport,
)
from grpcdns.source.manifests.controllers import ManifestEndpoints, ManifestPod, ManifestService
from grpcdns.source.manifests.documents import Document
from grpcdns.source.manifests.places import Place

LIMIT: Final = 20
"""How many mistakes of a file are named; the rest is counted."""

API_VERSIONS: Final[dict[str, tuple[str, ...]]] = {
    **{row.name: row.api_versions for row in WATCHED.values()},
    "Endpoints": ("v1",),
}
"""The kinds that are read, and the versions that have the shape that is read."""

_GROUPS: Final = {
    kind: versions[0].rpartition("/")[0] for kind, versions in API_VERSIONS.items()
}  # fmt: skip
_OTHER_KINDS: Final = frozenset({
    "Binding", "ComponentStatus", "ConfigMap", "Event", "LimitRange", "Node", "PersistentVolume",
    "PersistentVolumeClaim", "PodTemplate", "ReplicationController", "ResourceQuota", "Secret",
    "ServiceAccount", "ServiceExport",
})  # fmt: skip
"""The other kinds of those groups."""
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_NAME: Final = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_TYPES: Final = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_IMPORT_TYPES: Final = ("ClusterSetIP", "Headless")
_FAMILIES: Final = ("IPv4", "IPv6", "FQDN")
_PROTOCOLS: Final = ("TCP", "UDP", "SCTP")


class Mistake(NamedTuple):
    line: int
    text: str


class Mistakes:
    """What was found in one file. The lines of the first `LIMIT` are looked for."""

    def __init__(self) -> None:
        self.named: list[Mistake] = []
        self.count = 0
        self.left_out = 0
        """Of them, those for which an object or a document is left out."""

    def left(self, place: Place, text: str, path: str = "$") -> None:
        """Something is left out."""
        self.left_out += 1
        self.doubt(place, f"{text}; left out", path)

    def doubt(self, place: Place, text: str, path: str = "$") -> None:
        """Something is served as it is, and can hardly be meant."""
        self.count += 1
        if self.count <= LIMIT:
            self.named.append(Mistake(place.line(path), text))

    def end(self, line: int, text: str) -> None:
        """From here on the file cannot be read."""
        self.count += 1
        self.left_out += 1
        self.named.append(Mistake(line, text))

    def lines(self) -> Iterator[str]:
        for line, text in self.named:
            yield f"line {line}: {text}"
        if self.count > len(self.named):
            yield f"{self.count - len(self.named)} more"


def is_ours(document: Document) -> bool:
    """Whether DNS reads this kind; without apiVersion the kind alone decides."""
    versions = API_VERSIONS.get(document.kind)
    return versions is not None and (not document.api_version or document.api_version in versions)


def foreign(document: Document) -> str:
    """What was meant by an object that is not `is_ours`; "" for one that is somebody else's."""
    kind, group, version = document.kind, document.group, document.api_version
    if kind in _GROUPS:
        meant = API_VERSIONS[kind][0]
        if not _is_kubernetes(group):
            return ""
        return f"there is no {kind} in {version}: did you mean {meant}?"
    ours = {each.lower(): each for each, each_group in _GROUPS.items() if each_group == group}
    close = get_close_matches(kind.lower(), ours, 1, 0.75)
    if not close or kind in _OTHER_KINDS or kind.endswith("List"):
        return ""
    return f"{version or 'the API'} has no kind {kind}: did you mean {ours[close[0]]}?"


def _is_kubernetes(group: str) -> bool:
    """Whether a group is one of Kubernetes' own, or is meant to be: it has no domain, or nearly one
    of those that are read."""
    return "." not in group or bool(get_close_matches(group, set(_GROUPS.values()), 1, 0.85))


Doubt = tuple[str, str]
"""Where in an object (a path as msgspec writes it), and what."""


def doubts(raw: ApiAny) -> Iterator[Doubt]:
    """What in an object the API would refuse, or would have filled in."""
    meta = raw.metadata
    if meta is not None:
        if not _NAME.fullmatch(meta.name or "") or len(meta.name or "") > 253:
            yield ("$.metadata.name", f"`{meta.name}` is not a valid name")
        if meta.namespace and not _is_label(meta.namespace):
            yield ("$.metadata.namespace", f"`{meta.namespace}` is not a valid namespace name")
    for shape, check in _CHECKS.items():
        if isinstance(raw, shape):
            yield from check(raw)


def _service(raw: ManifestService) -> Iterator[Doubt]:
    spec, meta = raw.spec, raw.metadata
    name = (meta.name or "") if meta is not None else ""
    if _NAME.fullmatch(name) and not _is_label(name):
        yield ("$.metadata.name", f"`{name}` is not a valid Service name")
    type_ = (spec.type if spec is not None else "") or "ClusterIP"
    if type_ not in _TYPES:
        yield ("$.spec.type", f"unknown type `{type_}`{_meant(type_, _TYPES)}")
    if spec is None or (type_ != "ExternalName" and not spec.cluster_ip and not spec.cluster_ips):
        yield ("$.spec", "no clusterIP: a cluster would allocate one, here it has no address "
               "(`None` makes it headless)")  # fmt: skip
        if spec is None:
            return
    if type_ == "ExternalName":
        if not spec.external_name:
            yield ("$.spec", "an ExternalName without externalName")
    else:
        ips = [ip for ip in (spec.cluster_ip, *(spec.cluster_ips or ())) if ip and ip != "None"]
        yield from _addresses("$.spec.clusterIP", dict.fromkeys(ips), "clusterIP", ("None",))
    yield from _addresses("$.spec.externalIPs", spec.external_ips or (), "external IP")
    yield from _ports("$.spec.ports", spec.ports or ())


def _slice(raw: ApiEndpointSlice) -> Iterator[Doubt]:
    labels = (raw.metadata.labels if raw.metadata is not None else None) or {}
    if not labels.get(SERVICE_NAME) and not labels.get(IMPORTED_SERVICE_NAME):
        yield ("$.metadata", f"an EndpointSlice without the label {SERVICE_NAME}")
    family = raw.address_type or "IPv4"
    if family not in _FAMILIES:
        yield ("$.addressType", f"unknown type `{family}`{_meant(family, _FAMILIES)}")
    elif family != "FQDN":
        for index, point in enumerate(raw.endpoints or ()):
            path = f"$.endpoints[{index}].addresses"
            yield from _addresses(path, point.addresses or (), f"{family} address", family=family)
    for index, point in enumerate(raw.endpoints or ()):
        if point.hostname and not _is_label(point.hostname):
            yield (f"$.endpoints[{index}].hostname", f"`{point.hostname}` is not a valid hostname")
    yield from _ports("$.ports", raw.ports or ())


def _endpoints(raw: ManifestEndpoints) -> Iterator[Doubt]:
    for number, subset in enumerate(raw.subsets or ()):
        for name, group in (("addresses", subset.addresses),
                            ("notReadyAddresses", subset.not_ready_addresses)):  # fmt: skip
            path = f"$.subsets[{number}].{name}"
            yield from _addresses(path, [each.ip or "" for each in group or ()], "address")
        yield from _ports(f"$.subsets[{number}].ports", subset.ports or ())


def _pod(raw: ManifestPod) -> Iterator[Doubt]:
    if raw.status is not None and raw.status.pod_ip:
        yield from _addresses("$.status.podIP", (raw.status.pod_ip,), "address")


def _service_import(raw: ApiServiceImport) -> Iterator[Doubt]:
    if raw.spec is None:
        return
    type_ = raw.spec.type or "ClusterSetIP"
    if type_ not in _IMPORT_TYPES:
        yield ("$.spec.type", f"unknown type `{type_}`{_meant(type_, _IMPORT_TYPES)}")
    yield from _addresses("$.spec.ips", raw.spec.ips or (), "address")
    yield from _ports("$.spec.ports", raw.spec.ports or ())


_CHECKS: Final[dict[type[ApiAny], Callable[[Any], Iterator[Doubt]]]] = {
    ManifestService: _service,
    ApiEndpointSlice: _slice,
    ManifestEndpoints: _endpoints,
    ManifestPod: _pod,
    ApiServiceImport: _service_import,
}


def _addresses(
    path: str, texts: Any, what: str, known: tuple[str, ...] = (), family: str = ""
) -> Iterator[Doubt]:
    for text in texts:
        packed = address_from_text(text)
        if packed is None:
            yield (path, f"`{text}` is not a valid {what}{_meant(text, known)}")
        elif family and (len(packed) == 4) != (family == "IPv4"):
            yield (path, f"`{text}` is not a valid {what}")


def _ports(path: str, ports: Any) -> Iterator[Doubt]:
    port: ApiPort
    for index, port in enumerate(ports):
        if port.port is not None and not 0 < port.port < 65536:
            yield (f"{path}[{index}].port", f"{port.port} is not a port: 1 to 65535")
        if port.protocol and port.protocol not in _PROTOCOLS:
            meant = _meant(port.protocol, _PROTOCOLS)
            yield (f"{path}[{index}].protocol", f"unknown protocol `{port.protocol}`{meant}")


def _is_label(text: str) -> bool:
    return len(text) <= MAX_LABEL and _LABEL.fullmatch(text) is not None


def meant(text: str, known: Any) -> str:
    """``: did you mean ...?`` where something known is like it."""
    return _meant(text, tuple(known))


def _meant(text: str, known: tuple[str, ...]) -> str:
    lower = {each.lower(): each for each in known}
    close = get_close_matches(text.lower(), lower, 1, 0.6)
    return f": did you mean {lower[close[0]]}?" if close else ""
