"""Names to ask about a cluster: those that it has and those that it has not.

They are made from the API's objects without knowing the rules: every name that any option could
give, and what a careless or hostile client would send.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Final

from grpcdns.config.options import Config
from harness.api import Object

QTYPES: Final = (
    "A", "AAAA", "SRV", "PTR", "TXT", "CNAME", "MX", "NS", "SOA", "HTTPS", "ANY", "TYPE65400",
)  # fmt: skip
STRANGERS: Final = ("8.8.8.8", "10.96.255.254", "10.244.255.254", "fd00::dead", "2001:db8:ffff::1")


def names_of(objects: Iterable[Object], config: Config) -> list[str]:
    """Every name that the objects could have in the zones, absolute, in a fixed order."""
    seen: dict[str, None] = {}
    for zone in (*config.zones, *config.external_zones):
        for left in _apex_names(config):
            seen[f"{left}{zone}"] = None
        for obj in objects:
            for left in _lefts(obj):
                seen[f"{left}{zone}"] = None
    for text in [*STRANGERS, *_addresses(objects)]:
        seen[ipaddress.ip_address(text).reverse_pointer + "."] = None
    return [name for name in seen if _fits(name)]


def _apex_names(config: Config) -> Iterator[str]:
    yield from ("", "svc.", "pod.", "dns.", "ns.dns.", "x.ns.dns.", "dns-version.", "apex.dns.")
    yield from ("*.", "*.*.svc.", "any.any.svc.", "_tcp.", "ns1.dns.", "ns2.dns.", "nowhere.svc.")
    yield from (f"{config.external_apex}.", f"ns1.{config.external_apex}.", "nowhere.pod.")


def _lefts(obj: Object) -> Iterator[str]:
    """The labels that an object may have left of a zone: with "svc", with "pod", with neither."""
    kind, meta = obj["kind"], obj["metadata"]
    if kind == "Namespace":
        yield from (f"{meta['name']}.svc.", f"{meta['name']}.pod.", f"{meta['name']}.")
        return
    namespace = meta["namespace"]
    if kind == "Pod":
        for ip in filter(None, [obj.get("status", {}).get("podIP")]):
            yield from (f"{dashed}.{namespace}.pod." for dashed in _dashed(ip))
        yield f"{meta['name']}.{namespace}.pod."
        return
    labels = meta.get("labels") or {}
    owners = [meta["name"]]
    if kind == "EndpointSlice":
        owners = [
            labels[key]
            for key in ("kubernetes.io/service-name", "multicluster.kubernetes.io/service-name")
            if key in labels
        ]
    for owner in owners:
        for suffix in (f"{owner}.{namespace}.svc.", f"{owner}.{namespace}."):
            yield suffix
            yield from (f"{label}.{suffix}" for label in _labels(obj))


def _labels(obj: Object) -> Iterator[str]:
    """The labels that may be left of a Service's or import's name."""
    spec = obj.get("spec", obj)
    for port in spec.get("ports") or ():
        protocol = f"_{port.get('protocol', 'TCP')}".lower()
        name = port.get("name") or str(port.get("port"))
        yield from (protocol, f"_{name}.{protocol}", f"_{name}._wrong", f"_wrong.{protocol}")
        yield from (f"{name}.{protocol[1:]}", f"_{name}")
    cluster = (obj["metadata"].get("labels") or {}).get(
        "multicluster.kubernetes.io/source-cluster", "nocluster"
    )
    for point in obj.get("endpoints") or ():
        labels = [label for ip in point["addresses"] for label in _dashed(ip)]
        labels += filter(None, [point.get("hostname"), (point.get("targetRef") or {}).get("name")])
        for label in labels:
            yield from (label, f"{label}.{cluster}")
        if zone := point.get("zone"):
            yield from (f"{zone}.{how}._zone" for how in ("pin", "prefer", "other"))


def _dashed(text: str) -> Iterator[str]:
    label = text.replace(".", "-").replace(":", "-")
    yield from (label, f"{label}0", f"{label}-0")


def _addresses(objects: Iterable[Object]) -> Iterator[str]:
    for obj in objects:
        spec, status = obj.get("spec", {}), obj.get("status", {})
        found = [*(spec.get("clusterIPs") or ()), *(spec.get("ips") or ())]
        found += [*(spec.get("externalIPs") or ()), status.get("podIP", "")]
        found += [one.get("ip", "") for one in _ingress(status)]
        for point in obj.get("endpoints") or ():
            found += point["addresses"]
        for text in found:
            try:
                ipaddress.ip_address(text)
            except ValueError:
                continue
            yield text


def _ingress(status: Object) -> Sequence[Object]:
    return (status.get("loadBalancer") or {}).get("ingress") or ()


def spoiled(name: str) -> Iterator[str]:
    """Similar names: each label dropped, doubled, misspelt, in capitals, made a wildcard."""
    labels = [label for label in name.split(".") if label]
    for at, label in enumerate(labels):
        before, after = labels[:at], labels[at + 1 :]
        for put in (
            [], [label, label], [label[:-1] + ("x" if label[-1] != "x" else "y")], [label.upper()],
            ["*"], ["any"], [f"_{label}"], ["\x00\xff"],
        ):  # fmt: skip
            yield ".".join((*before, *put, *after, ""))
        yield ".".join((*labels[at:], ""))
    yield f"x.{name}"
    yield f"_x._tcp.{name}"
    yield f"a.b.c.{name}"


def near(names: Sequence[str], random: Random, count: int) -> list[str]:
    """``count`` random names (or fewer, if there are no more) that are similar to ``names``."""
    found: dict[str, None] = {}
    for _ in range(count * 3):
        if len(found) >= count or not names:
            break
        found[random.choice(list(spoiled(random.choice(names))) or [""])] = None
    return [name for name in found if name and _fits(name)]


def _fits(name: str) -> bool:
    labels = name.removesuffix(".").split(".")
    return len(name) < 254 and all(0 < len(label) < 64 for label in labels)
