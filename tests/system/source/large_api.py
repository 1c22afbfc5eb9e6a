"""A Kubernetes API that lists a large cluster and never changes, for measurements.

    python -m tests.system.source.large_api MEGABYTES

prints its port. Half of the JSON is Services, half EndpointSlices of twenty endpoints, written as
kube-apiserver writes them: a list whole, in chunks, or as the first events of a watch that asks for
them. A watch is silent then, until its timeout.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

NAMESPACES: Final = 100
ENDPOINTS: Final = 20
_CHUNK: Final = 1 << 16

Json = dict[str, Any]


def service(n: int) -> Json:
    ip = f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
    ports = [
        {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080},
        {"name": "metrics", "port": 9090, "protocol": "TCP", "targetPort": "metrics"},
    ]
    spec = {"clusterIP": ip, "clusterIPs": [ip], "ports": ports, "selector": {"app": f"svc-{n}"},
            "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"], "type": "ClusterIP",
            "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None"}  # fmt: skip
    applied = json.dumps({"apiVersion": "v1", "kind": "Service", "spec": {"ports": ports}})
    meta = _meta(f"svc-{n}", n) | {
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied},
    }
    return {"metadata": meta, "spec": spec, "status": {"loadBalancer": {}}}


def endpoint_slice(n: int) -> Json:
    meta = _meta(f"svc-{n}-abcde", n)
    meta["labels"]["kubernetes.io/service-name"] = f"svc-{n}"
    points = [
        {"addresses": [f"10.{128 + (n >> 8) % 64}.{n & 255}.{at}"], "nodeName": f"node-{at}",
         "conditions": {"ready": True, "serving": True, "terminating": False}, "zone": "a",
         "targetRef": {"kind": "Pod", "namespace": f"ns-{n % NAMESPACES}",
                       "name": f"svc-{n}-7d4f9c-{at:05d}", "uid": f"{n:08d}-{at:04d}"}}
        for at in range(ENDPOINTS)
    ]  # fmt: skip
    ports = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    return {"metadata": meta, "addressType": "IPv4", "endpoints": points, "ports": ports}


def _meta(name: str, n: int) -> Json:
    return {
        "name": name,
        "namespace": f"ns-{n % NAMESPACES}",
        "resourceVersion": "7",
        "uid": f"6d7b7f5e-1111-4222-8333-{n:012d}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"app": f"svc-{n}", "app.kubernetes.io/managed-by": "Helm"},
    }


class Lists:
    """The items of each path as JSON, made once."""

    def __init__(self, megabytes: float) -> None:
        names = ({"metadata": {"name": f"ns-{n}"}} for n in range(NAMESPACES))
        half = megabytes * 0.5e6
        self._items = {
            "/api/v1/namespaces": [json.dumps(one).encode() for one in names],
            "/api/v1/services": list(_until(half, service)),
            "/apis/discovery.k8s.io/v1/endpointslices": list(_until(half, endpoint_slice)),
        }

    def counts(self) -> list[int]:
        return [len(items) for items in self._items.values()]

    def read(self, path: str, limit: int) -> Iterator[bytes] | None:
        """A list in pieces, None for an unknown path. As from the watch cache, only a limit of one
        is obeyed: that is how the number of objects is asked for."""
        items = self._items.get(path)
        if items is None:
            return None
        some = items[:1] if limit == 1 else items
        rest = len(items) - len(some)
        meta: Json = {"resourceVersion": "7"}
        if rest:
            meta |= {"continue": "next", "remainingItemCount": rest}
        begin = b'{"kind":"List","apiVersion":"v1","metadata":' + json.dumps(meta).encode()
        return _pieces(begin + b',"items":[', some, b",", b"]}")

    def stream(self, path: str) -> Iterator[bytes]:
        """A list as events, and the bookmark that ends it."""
        notes = {"k8s.io/initial-events-end": "true"}
        obj = {"metadata": {"resourceVersion": "7", "annotations": notes}}
        end = b"}\n" + json.dumps({"type": "BOOKMARK", "object": obj}).encode() + b"\n"
        added = b'{"type":"ADDED","object":'
        return _pieces(added, self._items[path], b"}\n" + added, end)


def _until(size: float, make: Any) -> Iterator[bytes]:
    written = n = 0
    while written < size:
        text = json.dumps(make(n), separators=(",", ":")).encode()
        written += len(text) + 1
        n += 1
        yield text


def _pieces(begin: bytes, items: list[bytes], between: bytes, end: bytes) -> Iterator[bytes]:
    piece = bytearray(begin)
    for number, item in enumerate(items):
        piece += between + item if number else item
        if len(piece) > _CHUNK:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece + end)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lists: Lists
    ended = threading.Event()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/version":
            self._send(iter([b"{}"]))
        elif "watch" in query:
            self._begin()
            for piece in self.lists.stream(url.path) if "sendInitialEvents" in query else ():
                self._write(piece)
            self.wfile.flush()
            self.ended.wait(float(query.get("timeoutSeconds", "30")))
            self._write(b"")
        else:
            found = self.lists.read(url.path, int(query.get("limit", "0")))
            self._send(found) if found is not None else self.send_error(404)

    def _send(self, pieces: Iterator[bytes]) -> None:
        self._begin()
        for piece in pieces:
            self._write(piece)
        self._write(b"")

    def _begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _write(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


def main() -> None:
    Handler.lists = Lists(float(sys.argv[1]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_port, *Handler.lists.counts(), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
