"""What the API accepted, and when: the objects as etcd has them, followed by etcd's own watch, so
that nothing is missed while the API server is gone. Needs a cluster that stores JSON.

A second reader of the API would not do: it would see what the product sees, gaps included.
"""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final

from harness.cluster import Cluster
from tests.chaos.history import History, now
from tests.chaos.model import reduced

_PREFIXES: Final = {
    "/registry/namespaces/": "namespace",
    "/registry/services/specs/": "service",
    "/registry/endpointslices/": "slice",
}
_EVERYTHING: Final = {
    name: base64.b64encode(key).decode()
    for name, key in (("key", b"/registry/"), ("range_end", b"/registry0"))
}
STORE_JSON: Final = ("--storage-media-type=application/json", "--etcd-compaction-interval=0")
"""Flags of kube-apiserver."""


class Truth:
    """Follows etcd until stopped. `pause` before etcd is replaced, `resume` after."""

    def __init__(self, cluster: Cluster, history: History) -> None:
        self._address = cluster.etcd_address
        self._history = history
        self._known: dict[str, str] = {}
        self._next = 0
        self._ended = threading.Event()
        self._paused = threading.Event()
        self._connection: HTTPConnection | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """What is there now was there before anything else began."""
        self._history.add("since", t=now())
        self._read_all(None)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._hang_up()
        if self._thread.is_alive():
            self._thread.join(5)

    def pause(self) -> None:
        self._paused.set()
        self._hang_up()

    def resume(self, since: float) -> None:
        """Etcd has other data since an instant between ``since`` and now."""
        self._read_all(since)
        self._paused.clear()

    def _read_all(self, since: float | None) -> None:
        found: dict[str, tuple[int, str]] = {}
        with closing(HTTPConnection(*self._address, timeout=10.0)) as connection:
            answer = json.loads(_post(connection, "kv/range", _EVERYTHING).read())
        for entry in answer.get("kvs", ()):
            if (key := _key(entry)) is not None:
                found[key] = int(entry["mod_revision"]), _object(key, entry)
        at = [0.0, 0.0] if since is None else [since, now()]
        for key in self._known.keys() - found.keys():
            self._history.add("truth", at=at, rev=0, key=key, obj=None)
        for key, (rev, obj) in found.items():
            if self._known.get(key) != obj:
                self._history.add("truth", at=at, rev=rev, key=key, obj=json.loads(obj))
        self._known = {key: obj for key, (_, obj) in found.items()}
        self._next = int(answer["header"]["revision"]) + 1

    def _run(self) -> None:
        while not self._ended.is_set():
            if self._paused.is_set():
                self._ended.wait(0.05)
                continue
            try:
                self._follow()
            except (HTTPException, OSError, ValueError):
                self._ended.wait(0.05)

    def _follow(self) -> None:
        wanted = {"start_revision": str(self._next), **_EVERYTHING}
        with closing(HTTPConnection(*self._address, timeout=None)) as connection:
            connection.connect()
            self._connection = connection
            for line in _post(connection, "watch", {"create_request": wanted}):
                if self._paused.is_set() or self._ended.is_set():
                    return
                for event in json.loads(line)["result"].get("events", ()):
                    self._take(event)

    def _take(self, event: dict[str, Any]) -> None:
        entry = event["kv"]
        rev = int(entry["mod_revision"])
        self._next = rev + 1
        key = _key(entry)
        if key is None:
            return
        deleted = event.get("type") == "DELETE"
        obj = None if deleted else _object(key, entry)
        if obj == self._known.get(key) and not deleted:
            self._history.add("seen", t=now(), rev=rev, key=key)
            return
        made = None if obj is None else json.loads(obj)
        self._history.add("truth", t=now(), rev=rev, key=key, obj=made)
        if obj is None:
            self._known.pop(key, None)
        else:
            self._known[key] = obj

    def _hang_up(self) -> None:
        """The thread that reads notices at once."""
        connection = self._connection
        if connection is not None and connection.sock is not None:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended already


def _post(connection: HTTPConnection, path: str, body: Mapping[str, object]) -> HTTPResponse:
    """A call of etcd's gateway; the lines of the response are its messages."""
    connection.request("POST", f"/v3/{path}", json.dumps(body))
    return connection.getresponse()


def _key(entry: dict[str, Any]) -> str | None:
    path = base64.b64decode(entry["key"]).decode()
    for prefix, kind in _PREFIXES.items():
        if path.startswith(prefix):
            return f"{kind}/{path.removeprefix(prefix)}"
    return None


def _object(key: str, entry: dict[str, Any]) -> str:
    """The reduced object, as JSON with sorted keys: equal if no answer differs."""
    return json.dumps(reduced(key, json.loads(base64.b64decode(entry["value"]))), sort_keys=True)
