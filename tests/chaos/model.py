"""What DNS must say of a cluster's objects: the DNS specification's rules for the few shapes of
names that `readers` asks for. It shares nothing with the product, on purpose.

An object is what `truth` keeps of it:

    namespace/NAME     {}
    service/NS/NAME    type, ips, external, ports: [name, protocol, number]
    slice/NS/NAME      service, family, ports, endpoints: [address, hostname]   the ready ones

A text has the rcode, the answer section's data and the additional section's, sorted, and whether
the authority section has the SOA. TTLs, weights and the order of records are for the conformance
tests.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

Object = Mapping[str, Any]
ZONE: Final = ".svc.cluster.local."


class Question(NamedTuple):
    name: str
    qtype: str

    @property
    def labels(self) -> list[str]:
        """Those below the zone."""
        return self.name.removesuffix(ZONE).split(".")

    @property
    def address(self) -> str:
        """That of a reverse name."""
        labels = self.name.removesuffix(".").split(".")
        if labels[-2] == "in-addr":
            return ".".join(reversed(labels[:-2]))
        digits = "".join(reversed(labels[:-2]))
        return str(ipaddress.ip_address(int(digits, 16).to_bytes(16)))


def text(
    rcode: str, answer: Iterable[str] = (), additional: Iterable[str] = (), *, soa: bool
) -> str:
    """An answer as it is compared."""
    parts = [" ".join(sorted(set(answer))), " ".join(sorted(set(additional)))]
    return " | ".join((rcode, *parts, "SOA" if soa else ""))


NXDOMAIN: Final = text("NXDOMAIN", soa=True)
NODATA: Final = text("NOERROR", soa=True)


def depends_on(question: Question, objects: Mapping[str, Sequence[Object | None]]) -> list[str]:
    """The keys of all objects that an answer may ever depend on, of those with these states."""
    if question.qtype == "PTR":
        address = question.address
        return [key for key, states in objects.items() if any(_has(one, address) for one in states)]
    labels = question.labels
    keys = [f"namespace/{labels[-1]}"]
    if len(labels) > 1:
        namespace, service = labels[-1], labels[-2]
        keys.append(f"service/{namespace}/{service}")
        prefix = f"slice/{namespace}/"
        keys += [
            key
            for key, states in objects.items()
            if key.startswith(prefix) and any(one and one["service"] == service for one in states)
        ]
    return keys


def evaluate(question: Question, state: Mapping[str, Object | None]) -> str:
    """The answer in a state: keys -> objects, None or absent if there is none."""
    if question.qtype == "PTR":
        return _reverse(question.address, state)
    labels = question.labels
    if state.get(f"namespace/{labels[-1]}") is None:
        return NXDOMAIN
    if len(labels) == 1:
        return NODATA
    name, namespace = labels[-2], labels[-1]
    service = state.get(f"service/{namespace}/{name}")
    if service is None:
        return NXDOMAIN
    own = f"{name}.{namespace}{ZONE}"
    left = labels[:-2]
    if service["type"] == "ExternalName":
        return NXDOMAIN if left else text("NOERROR", [f"CNAME {service['external']}"], soa=False)
    wanted = (left[0][1:], left[1][1:]) if len(left) == 2 else ("", "")
    if service["ips"] != ["None"]:
        hits = [(ip, port, own) for port in _ports(service, wanted) for ip in service["ips"]]
    else:
        endpoint = left[0] if len(left) == 1 else ""
        hits = [
            (ip, port, f"{label}.{own}")
            for key, slice_ in state.items()
            if key.startswith("slice/") and slice_ is not None and slice_["service"] == name
            for port in _ports(slice_, wanted)
            for ip, label in ((ip, host or _dashed(ip)) for ip, host in slice_["endpoints"])
            if not endpoint or endpoint == label
        ]
    return _records(question.qtype, hits) if hits else NXDOMAIN


def _records(qtype: str, hits: list[tuple[str, int, str]]) -> str:
    if qtype in ("A", "AAAA"):
        found = [f"{qtype} {ip}" for ip, _, _ in hits if (":" in ip) == (qtype == "AAAA")]
        return text("NOERROR", found, soa=False) if found else NODATA
    if qtype == "SRV":
        answer = [f"SRV {port} {target}" for _, port, target in hits]
        return text("NOERROR", answer, [f"{name} {ip}" for ip, _, name in hits], soa=False)
    return NODATA


def _reverse(address: str, state: Mapping[str, Object | None]) -> str:
    names = []
    for key, obj in state.items():
        kind, _, rest = key.partition("/")
        if obj is None or not _has(obj, address):
            continue
        namespace = rest.split("/")[0]
        if kind == "service":
            name = rest.split("/")[1]
            return text("NOERROR", [f"PTR {name}.{namespace}{ZONE}"], soa=False)
        label = next(host or _dashed(ip) for ip, host in obj["endpoints"] if ip == address)
        names.append(f"PTR {label}.{obj['service']}.{namespace}{ZONE}")
    return text("NOERROR", names, soa=False) if names else NXDOMAIN


def _ports(obj: Object, wanted: tuple[str, str]) -> list[int]:
    name, protocol = wanted
    return [
        number
        for port, proto, number in obj["ports"]
        if not name or (port == name and proto.lower() == protocol)
    ]


def _has(obj: Object | None, address: str) -> bool:
    if not obj:
        return False
    return address in obj.get("ips", ()) or any(ip == address for ip, _ in obj.get("endpoints", ()))


def _dashed(ip: str) -> str:
    return ip.replace(".", "-").replace(":", "-")


# -- from the API


def reduced(key: str, obj: Mapping[str, Any]) -> Object:
    """What the model needs of an API object with this key."""
    kind = key.partition("/")[0]
    if kind == "namespace":
        return {}
    if kind == "service":
        spec = obj["spec"]
        return {
            "type": spec.get("type", "ClusterIP"),
            "ips": spec.get("clusterIPs") or [],
            "external": spec.get("externalName", "") + ".",
            "ports": [_port(one) for one in spec.get("ports") or ()],
        }
    labels = obj["metadata"].get("labels") or {}
    return {
        "service": labels.get("kubernetes.io/service-name", ""),
        "ports": [_port(one) for one in obj.get("ports") or ()],
        "endpoints": [
            [ip, one.get("hostname") or ""]
            for one in obj.get("endpoints") or ()
            if (one.get("conditions") or {}).get("ready", True) is not False
            for ip in one["addresses"]
        ],
    }


def _port(port: Mapping[str, Any]) -> list[Any]:
    return [port.get("name") or "", port.get("protocol") or "TCP", port["port"]]
