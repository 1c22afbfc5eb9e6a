"""From the parts of a name to the objects it names: the cluster as one question sees it.

A View looks things up in the index for one question and collects tags for all of them, found or
not: a negative answer is stale once what it did not find is there. What it finds are Hits: an
address or a name, with a port and the name that an SRV record would point to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from grpcdns.core.answers.asked import POD, SVC, Asked, parse_name
from grpcdns.core.answers.policy import Zones
from grpcdns.core.answers.topology import (
    PREFER_CLOSE,
    SAME_ZONE,
    Choice,
    all_of_them,
    choose,
    too_few,
)
from grpcdns.core.answers.ttl import Origin
from grpcdns.core.cluster.endpoints import (
    NO_PORT,
    any_ready,
    endpoint_label,
    is_ready,
    port_matches,
    ready,
)
from grpcdns.core.cluster.index import Index, Tag, pod_tag
from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, Port, Service, ServiceImport
from grpcdns.core.cluster.reasons import Reason
from grpcdns.core.dns.names import (
    BadName,
    Name,
    address_from_text,
    fits_wire,
    is_reverse,
    longest_match,
    name_from_text,
)

_PROTOCOLS: Final = frozenset({"_tcp", "_udp", "_sctp"})
"""Labels that stand where an endpoint's does and are not one."""
# To look a member of an enumeration up takes longer than to use it.
_CLUSTER_IP: Final = Origin.CLUSTER_IP
_ENDPOINTS: Final = Origin.ENDPOINTS
ALL: Final[Mapping[int, Choice]] = MappingProxyType({})
"""Every ready endpoint is given."""


class View:
    """The cluster in one zone, for one question.

    ``tags`` collects what was looked up, ``origins`` what the answer is made from; ``cheap``
    becomes true when the answer's name is one of which there is no end. ``hosts_only``: ports and
    targets of hits are not wanted, so each host comes once, whatever ports it has.
    """

    def __init__(
        self,
        index: Index,
        zones: Zones,
        zone: Name,
        tags: set[Tag],
        origins: set[Origin] | None = None,
    ) -> None:
        self.index = index
        self.zones = zones
        self.policy = zones.policy
        self.zone = zone
        self.tags = tags
        self.origins = set() if origins is None else origins
        self.multicluster = (
            bool(zones.multicluster) and longest_match(zone, zones.multicluster) is not None
        )
        self.cheap = False
        self.hosts_only = False

    def at(self, zone: Name) -> View:
        """The same question's view of another zone."""
        view = View(self.index, self.zones, zone, self.tags, self.origins)
        view.hosts_only = self.hosts_only
        return view

    def leave_out(self, reason: Reason, what: object, part: str = "") -> None:
        """Report that ``what``, or a part of it, is not in the answer."""
        if self.index.observer is not None:
            self.index.observer.left_out(reason, what, part)

    # -- namespaces

    def exposed(self, namespace: str) -> bool:
        """Whether a Namespace exists and is shown (option ``namespaces``)."""
        self.tags.add(f"{namespace}/")
        if self.zones.namespaces and namespace not in self.zones.namespaces:
            self.leave_out(Reason.HIDDEN_NAMESPACE, namespace)
            return False
        return self.index.has_namespace(namespace)

    def exposed_in_reverse(self, namespace: str) -> bool:
        """Whether reverse names show what is in a Namespace."""
        # As in the plugin, which only checks this if the option is set.
        return not self.zones.namespaces or self.exposed(namespace)

    # -- services and pods; None = no such name

    def find(self, name: Name) -> list[Hit] | None:
        """What a name in the zone leads to; [] if it exists and leads to nothing."""
        left = name[: len(name) - len(self.zone)]
        asked = parse_name(left, self.multicluster, self.policy.zonal)
        if asked is None:
            return None
        if not asked.kind:
            return []
        if is_reverse(name) or not self.exposed(asked.namespace):
            return None
        if asked.kind == POD:
            return self._find_pods(asked)
        if not asked.service:
            return []
        self.tags.add(asked.key)
        return self._find_imports(asked) if self.multicluster else self._find_services(asked)

    def slices(self, asked: Asked) -> list[EndpointSlice]:
        """The slices of a Service that may have what a name asks for, bounded."""
        endpoint = "" if asked.endpoint in _PROTOCOLS else asked.endpoint
        return self.index.slices(asked.key, endpoint, asked.port, asked.protocol)

    def imported_slices(self, asked: Asked) -> list[EndpointSlice]:
        """The same for a ServiceImport."""
        endpoint = "" if asked.endpoint in _PROTOCOLS else asked.endpoint
        return self.index.imported_slices(asked.key, endpoint, asked.port, asked.protocol)

    def _find_pods(self, asked: Asked) -> list[Hit] | None:
        """DNS specification 2.6 (deprecated there): ``a-b-c-d.ns.pod``."""
        if self.policy.pods == "disabled":
            return None
        label = asked.service
        if not label:
            return []
        self.cheap = True
        text = label.replace("-", "." if label.count("-") == 3 and "--" not in label else ":")
        address = address_from_text(text)
        count = 1
        if self.policy.pods == "verified":
            self.tags.add(pod_tag(asked.namespace, text))
            # Pods that share their node's address share the weight of an SRV record.
            count = sum(pod.namespace == asked.namespace for pod in self.index.pods_at(text))
        if address is None or not count:
            return None
        return [Hit(address, 0, (label, asked.namespace, POD, *self.zone))] * count

    def _find_services(self, asked: Asked) -> list[Hit] | None:
        service = self.index.service(asked.key)
        if service is None:
            return None
        target = () if self.hosts_only else (service.name, service.namespace, SVC, *self.zone)
        if service.type == "ExternalName":
            return self._find_external_name(service, asked, target)
        if (
            self.policy.ignore_empty_service
            and not service.headless
            and not self._has_ready(asked.key)
        ):
            self.leave_out(Reason.EMPTY_SERVICE, service)
            self.origins.add(Origin.AWAITED)
            return None
        if asked.zone and not service.headless:
            return None
        if service.headless or asked.endpoint:
            return self._find_endpoints(service, asked, target)
        self.origins.add(_CLUSTER_IP)
        ports = service.ports or (NO_PORT,)
        found = cluster_hits(service.cluster_ips, ports, asked, target, self.hosts_only)
        if found is None:
            self.leave_out(Reason.OTHER_PORT, service)
        return found

    def _find_external_name(self, service: Service, asked: Asked, target: Name) -> list[Hit] | None:
        """DNS specification 2.5. An ExternalName that is an address leads to nothing."""
        self.origins.add(Origin.EXTERNAL_NAME)
        if asked.endpoint or asked.port or asked.protocol or asked.zone:
            return None
        if address_from_text(service.external_name) is not None:
            return None
        try:
            host = name_from_text(service.external_name.lower())
        except BadName:
            return None
        return [Hit(host, 0, target)] if host else None

    def _find_endpoints(self, service: Service, asked: Asked, target: Name) -> list[Hit] | None:
        if self.hosts_only and self._is_plain(service, asked):
            addresses = self.index.ready_addresses_of(asked.key)
            if addresses:
                self.origins.add(_ENDPOINTS)
                return [Hit(address, 0, ()) for address in addresses]
        if not self.policy.endpoints:
            self.leave_out(Reason.NO_ENDPOINTS, service)
        slices = self.slices(asked) if self.policy.endpoints else []
        ending = self.policy.endpoints and self.ending(asked.key)
        distribution = service.traffic_distribution if service.headless else ""
        near = self._nearest(service, distribution, slices, asked, ending=ending)
        hits = self.endpoint_hits(slices, asked, target, asked.zone, near=near, ending=ending)
        if not hits and asked.prefer:
            self.cheap = True  # the topology zone may have any name
            hits = self.endpoint_hits(slices, asked, target, "", ending=ending)
        if hits:
            self.origins.add(_ENDPOINTS)
            return hits
        if service.headless:
            self.origins.add(Origin.AWAITED)
        if asked.zone:
            return hits
        ports = (
            [port for slice_ in slices for port in slice_.ports]
            if service.headless
            else service.ports
        )
        return [] if self._is_protocol(ports, asked) else None

    def _is_plain(self, service: Service, asked: Asked) -> bool:
        """Whether a headless Service is answered with each ready endpoint's addresses, and nobody
        wants to know of the others."""
        return (
            service.headless
            and not (asked.endpoint or asked.port or asked.protocol or asked.zone)
            and self.policy.endpoints
            and not self.policy.serve_terminating
            and not (service.traffic_distribution and self.policy.topology)
            and self.index.observer is None
        )

    def _nearest(
        self,
        owner: Service | ServiceImport,
        distribution: str,
        slices: list[EndpointSlice],
        asked: Asked,
        *,
        ending: bool,
    ) -> Mapping[int, Choice]:
        """By the length of an address, which endpoints a Service itself, or a port of it, is
        answered with. The names of one endpoint or one zone are answered with what they name."""
        if not distribution or asked.endpoint or asked.zone or not self.policy.topology:
            return ALL
        families: dict[int, list[Endpoint]] = {}
        for slice_ in slices:
            if port_numbers(slice_.ports or (NO_PORT,), asked):
                for endpoint, address, _ in ready(slice_, ending=ending):
                    families.setdefault(len(address), []).append(endpoint)
        chosen = {
            length: choose(distribution, endpoints, self.policy)
            for length, endpoints in families.items()
        }
        if too_few in chosen.values():
            self.leave_out(Reason.FEW_NEAR, owner)
        return chosen

    def _in_own_cluster(
        self, slices: list[EndpointSlice], asked: Asked, *, ending: bool
    ) -> list[EndpointSlice]:
        """Our cluster's slices, and of a family in which it has no ready endpoint all."""
        own = self.policy.cluster_id
        families = {
            slice_.address_type
            for slice_ in slices
            if slice_.cluster.lower() == own
            and port_numbers(slice_.ports or (NO_PORT,), asked)
            and is_ready(slice_, ending=ending)
        }
        kept: list[EndpointSlice] = []
        for slice_ in slices:
            if slice_.address_type in families and slice_.cluster.lower() != own:
                self.leave_out(Reason.FAR_CLUSTER, slice_)
            else:
                kept.append(slice_)
        return kept

    def _find_imports(self, asked: Asked) -> list[Hit] | None:
        """Multi-Cluster Services API, KEP-1645 "DNS"."""
        imported = self.index.service_import(asked.key)
        if imported is None:
            return None
        slices = self.imported_slices(asked)
        if (
            self.policy.ignore_empty_service
            and not imported.headless
            and not any_ready(slices, ending=self.policy.serve_terminating)
        ):
            self.leave_out(Reason.EMPTY_SERVICE, imported)
            self.origins.add(Origin.AWAITED)
            return None
        target = (imported.name, imported.namespace, SVC, *self.zone)
        if imported.headless or asked.endpoint:
            ending = self.ending(asked.key, imported=True)
            near: Mapping[int, Choice] = ALL
            if imported.traffic_distribution in SAME_ZONE and not asked.endpoint:
                if self.policy.cluster_id:
                    slices = self._in_own_cluster(slices, asked, ending=ending)
                # The nodes of another cluster may have the names of ours.
                near = self._nearest(imported, PREFER_CLOSE, slices, asked, ending=ending)
            hits = self.endpoint_hits(
                slices, asked, target, "", clusters=True, near=near, ending=ending
            )
            if hits:
                self.origins.add(Origin.ENDPOINTS)
            elif imported.headless:
                self.origins.add(Origin.AWAITED)
            return hits or None
        self.origins.add(Origin.CLUSTER_IP)
        return cluster_hits(imported.ips, imported.ports, asked, target, self.hosts_only)

    def endpoint_hits(
        self,
        slices: Iterable[EndpointSlice],
        asked: Asked,
        target: Name,
        zone: str,
        clusters: bool = False,
        near: Mapping[int, Choice] = ALL,
        ending: bool = False,
    ) -> list[Hit]:
        """DNS specification 2.4: one hit for each ready address and port.

        ``near``: by the length of an address, which endpoints are given. ``ending``: those that
        still serve while they are terminating count as ready.
        """
        hits: list[Hit] = []
        observer, hosts_only = self.index.observer, self.hosts_only
        for slice_ in slices:
            if clusters and asked.endpoint and asked.cluster != slice_.cluster.lower():
                self.leave_out(Reason.OTHER_CLUSTER, slice_)
                continue
            ports = port_numbers(slice_.ports or (NO_PORT,), asked)
            if not ports:
                self.leave_out(Reason.OTHER_PORT, slice_)
                continue
            if hosts_only:
                del ports[1:]
            left = (slice_.cluster,) if clusters and slice_.cluster else ()
            for endpoint, address, text in ready(slice_, observer, ending=ending):
                if zone and endpoint.zone.lower() != zone:
                    self.leave_out(Reason.OTHER_ZONE, slice_, text)
                    continue
                label = ""
                if asked.endpoint or not hosts_only:
                    label = endpoint_label(endpoint, text, self.policy.endpoint_pod_names)
                if asked.endpoint and asked.endpoint != label.lower():
                    self.leave_out(Reason.OTHER_ENDPOINT, slice_, text)
                    continue
                if near and (far := near.get(len(address), all_of_them)(endpoint)) is not None:
                    self.leave_out(far, slice_, text)
                    continue
                owner = () if hosts_only else (label, *left, *target)
                hits += [Hit(address, number, owner) for number in ports]
        return hits

    def _has_ready(self, key: str) -> bool:
        ending = self.policy.serve_terminating
        return self.policy.endpoints and any_ready(self.index.all_slices(key), ending=ending)

    def ending(self, key: str, *, imported: bool = False) -> bool:
        """Whether endpoints that still serve while they are terminating stand in for ready ones
        (option ``serve_terminating``): as kube-proxy does it, where no endpoint is ready."""
        if not self.policy.serve_terminating:
            return False
        find = self.index.all_imported_slices if imported else self.index.all_slices
        return not any_ready(find(key))

    @staticmethod
    def _is_protocol(ports: Iterable[Port], asked: Asked) -> bool:
        """Whether the name is the ``_tcp`` above a ``_port._tcp``, so that it exists (RFC 8020)."""
        return (
            not asked.port
            and not asked.protocol
            and asked.endpoint.startswith("_")
            and any(port.name and asked.endpoint[1:] == port.protocol.lower() for port in ports)
        )

    # -- addresses; [] = nothing has it

    def names_at(self, address: bytes) -> list[Name]:
        """The names of an address: its Service's, else its endpoints' (DNS specification 2.4.3)."""
        self.tags.add(address)
        primary = self.zones.primary
        for service in self.index.services_at(address):
            name: Name = (service.name, service.namespace, SVC, *primary)
            if self.exposed_in_reverse(service.namespace) and fits_wire(name):
                self.origins.add(Origin.CLUSTER_IP)
                return [name]
        names: dict[Name, bool] = {}
        for slice_ in self.index.slices_at(address) if self.policy.endpoints else ():
            # Only a Service gives a name to point to, and no Service's name has a dot.
            if not slice_.service or "." in slice_.service:
                continue
            if not self.exposed_in_reverse(slice_.namespace):
                continue
            key = f"{slice_.namespace}/{slice_.service}"
            ending = self.ending(key)
            if self.policy.serve_terminating:
                self.tags.add(key)  # the other endpoints of the Service matter
            for endpoint, packed, text in ready(slice_, ending=ending):
                if packed == address:
                    label = endpoint_label(endpoint, text, self.policy.endpoint_pod_names)
                    name = (label, slice_.service, slice_.namespace, SVC, *primary)
                    if fits_wire(name):
                        names[name] = not endpoint.hostname
        if names:
            self.origins.add(Origin.ENDPOINTS)
        return sorted(names, key=lambda name: (names[name], name))

    def name_servers(self) -> list[Hit]:
        """Name and address of the DNS Service (option ``dns_service``), in any namespace."""
        key = self.policy.dns_service
        self.tags.add(key)
        service = self.index.service(key)
        if service is None or service.type == "ExternalName":
            return []
        target = (service.name, service.namespace, SVC, *self.zone)
        if service.headless:
            ending = self.ending(key)
            hits = self.endpoint_hits(self.index.slices(key), Asked(), target, "", ending=ending)
            found = dict.fromkeys([(hit.host, hit.target) for hit in hits if fits_wire(hit.target)])
            return [Hit(host, 0, owner) for host, owner in found]
        return cluster_hits(service.cluster_ips, (NO_PORT,), Asked(), target) or []


class Hit:
    """What a name leads to: an address, or a name (ExternalName), a port, an SRV target."""

    __slots__ = ("host", "port", "target")

    def __init__(self, host: bytes | Name, port: int, target: Name) -> None:
        self.host = host
        self.port = port
        self.target = target


def cluster_hits(
    texts: Iterable[str],
    ports: Iterable[Port],
    asked: Asked,
    target: Name,
    hosts_only: bool = False,
) -> list[Hit] | None:
    """Hits on cluster IPs; None if no port matches. ``hosts_only`` as in a View."""
    matching = port_numbers(ports, asked)
    if not matching:
        return None
    if hosts_only:
        del matching[1:]
    addresses = [packed for text in texts if (packed := address_from_text(text)) is not None]
    return [Hit(address, number, target) for number in matching for address in addresses]


def port_numbers(ports: Iterable[Port], asked: Asked) -> list[int]:
    """The numbers of the ports that have the port name and protocol asked for, if any."""
    if not asked.port and not asked.protocol:
        return [port.number for port in ports]
    return [port.number for port in ports if port_matches(port, asked.port, asked.protocol)]
