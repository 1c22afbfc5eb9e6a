"""The backend that a Python team would write in a day, for comparison: `grpc.aio`, dnslib, and the
informer of the `kubernetes` package. It answers what `bench.cluster.questions` asks, and no more.

python -m bench.one_day ADDRESS [KUBECONFIG]
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from typing import Any

import grpc
import grpc.aio
from dnslib import AAAA, PTR, QTYPE, RCODE, RR, SRV, A, DNSRecord
from kubernetes import client, config
from kubernetes.informer import SharedInformer

from grpcdns.pb import dns_pb2

ZONE = "svc.cluster.local."
TTL = 5


class Cluster:
    """Names to their records, kept up to date by the informers' callbacks."""

    def __init__(self) -> None:
        self.records: dict[str, list[tuple[str, Any]]] = {}
        self._slices: dict[tuple[str, str], list[str]] = {}
        self._informers = [
            self._informer(client.CoreV1Api().list_service_for_all_namespaces, self._service),
            self._informer(
                client.DiscoveryV1Api().list_endpoint_slice_for_all_namespaces, self._slice
            ),
        ]

    def start(self) -> None:
        for informer in self._informers:
            informer.start()

    def _informer(self, lister: Any, changed: Any) -> SharedInformer:
        informer = SharedInformer(list_func=lister)
        for event in ("ADDED", "MODIFIED", "DELETED"):
            informer.add_event_handler(event, lambda obj, e=event: changed(obj, e == "DELETED"))
        return informer

    def _service(self, service: Any, gone: bool) -> None:
        name = f"{service.metadata.name}.{service.metadata.namespace}.{ZONE}"
        addresses = [ip for ip in service.spec.cluster_ips or [] if ip != "None"]
        if not addresses:
            return
        self._set(name, [("AAAA" if ":" in ip else "A", ip) for ip in addresses], gone)
        for port in service.spec.ports or []:
            target = ("SRV", (port.port, name))
            self._set(f"_{port.name}._{port.protocol.lower()}.{name}", [target], gone)
        for ip in addresses:
            self._set(".".join([*reversed(ip.split(".")), "in-addr.arpa."]), [("PTR", name)], gone)

    def _slice(self, found: Any, gone: bool) -> None:
        owner = (found.metadata.labels or {}).get("kubernetes.io/service-name")
        name = f"{owner}.{found.metadata.namespace}.{ZONE}"
        ready = [one for one in found.endpoints or [] if one.hostname and one.conditions.ready]
        if not ready:
            return
        self._set(name, [("A", ip) for one in ready for ip in one.addresses], gone)
        for one in ready:
            host = f"{one.hostname}.{name}"
            self._set(host, [("A", ip) for ip in one.addresses], gone)
            for port in found.ports or []:
                found_at = [("SRV", (port.port, f"{each.hostname}.{name}")) for each in ready]
                self._set(f"_{port.name}._{port.protocol.lower()}.{name}", found_at, gone)

    def _set(self, name: str, records: list[tuple[str, Any]], gone: bool) -> None:
        if gone:
            self.records.pop(name, None)
        else:
            self.records[name] = records


class Servicer:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def Query(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802
        query = DNSRecord.parse(request.msg)
        reply = query.reply()
        name, qtype = str(query.q.qname).lower(), QTYPE[query.q.qtype]
        records = self._cluster.records.get(name)
        if records is None:
            reply.header.rcode = RCODE.NXDOMAIN
        else:
            reply.add_answer(*_answers(name, qtype, records))
        return dns_pb2.DnsPacket(msg=bytes(reply.pack()))


def _answers(name: str, qtype: str, records: list[tuple[str, Any]]) -> Iterator[RR]:
    for kind, value in records:
        if kind == qtype:
            rdata = {
                "A": A, "AAAA": AAAA, "PTR": PTR, "SRV": lambda v: SRV(0, 100, *v),
            }[kind](value)  # fmt: skip
            yield RR(name, QTYPE.reverse[qtype], rdata=rdata, ttl=TTL)


async def main() -> None:
    config.load_kube_config(sys.argv[2]) if len(sys.argv) > 2 else config.load_incluster_config()
    cluster = Cluster()
    server = grpc.aio.server()
    # What a generated stub registers; there is none (proto/generate.py).
    query = grpc.unary_unary_rpc_method_handler(
        Servicer(cluster).Query,
        request_deserializer=dns_pb2.DnsPacket.FromString,
        response_serializer=dns_pb2.DnsPacket.SerializeToString,
    )
    handlers = grpc.method_handlers_generic_handler("coredns.dns.DnsService", {"Query": query})
    server.add_generic_rpc_handlers((handlers,))
    server.add_insecure_port(sys.argv[1])
    cluster.start()
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(1)


if __name__ == "__main__":
    asyncio.run(main())
