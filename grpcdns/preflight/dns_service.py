"""Whether the Service that clients send their queries to is there, and has endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from grpcdns.preflight.context import Context
from grpcdns.preflight.report import FAIL, OK, WARNING, Verdict
from grpcdns.source.kinds import SERVICE_NAME

PORT: Final = 53
PROTOCOLS: Final = ("UDP", "TCP")


def check_service(context: Context) -> Verdict:
    namespace, name = context.config.dns_service.split("/")
    # A list, not a get: the account of serve has the right to list.
    found = context.api.items(
        f"/api/v1/namespaces/{namespace}/services",
        f"list services in {namespace}",
        fieldSelector=f"metadata.name={name}",
    )
    return decide_service(context.config.dns_service, next(found, None))


def decide_service(place: str, service: Any | None) -> Verdict:
    """It needs a cluster IP (the zones' NS records point at it), and port 53 of UDP and TCP."""
    if service is None:
        return Verdict(
            FAIL,
            f"no Service {place}: the zones have no NS record",
            "name the Service of CoreDNS's Pods with --dns-service NAMESPACE/NAME",
        )
    spec = service.get("spec") or {}
    ips = [ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"]
    if not ips:
        return Verdict(
            WARNING,
            f"{place} has no cluster IP",
            "kubelet's clusterDNS must be an address that stays: give the Service a cluster IP",
        )
    ports = {one.get("protocol") or "TCP" for one in spec.get("ports") or () if _is_dns(one)}
    missing = [protocol for protocol in PROTOCOLS if protocol not in ports]
    if missing:
        return Verdict(
            FAIL,
            f"{place}, {', '.join(ips)}: no port {PORT} over {' and '.join(missing)}",
            f"add port {PORT} over {' and '.join(missing)} to the Service",
        )
    return Verdict(OK, f"{place}, {', '.join(ips)}")


def check_endpoints(context: Context) -> Verdict:
    namespace, name = context.config.dns_service.split("/")
    slices = context.api.items(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        f"list endpointslices.discovery.k8s.io in {namespace}",
        labelSelector=f"{SERVICE_NAME}={name}",
    )
    return decide_endpoints(context.config.dns_service, list(slices))


def decide_endpoints(place: str, slices: Iterable[Any]) -> Verdict:
    """Not ready is ``ready: false``; null counts as ready, as the API says."""
    endpoints = [one for piece in slices for one in piece.get("endpoints") or ()]
    ready = sum((one.get("conditions") or {}).get("ready") is not False for one in endpoints)
    if ready:
        return Verdict(OK, f"{ready} of {len(endpoints)} ready")
    if not endpoints:
        return Verdict(
            FAIL,
            f"{place} has no endpoints",
            "no Pod matches the Service's selector: is CoreDNS deployed?",
        )
    return Verdict(
        FAIL,
        f"none of {len(endpoints)} endpoints of {place} is ready",
        "kubectl describe CoreDNS's Pods: their readiness probe fails",
    )


def _is_dns(port: Any) -> bool:
    return bool(port.get("port") == PORT)
