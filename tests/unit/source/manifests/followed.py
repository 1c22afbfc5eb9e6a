"""Manifests and what they gave, polled by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Kind, Object, unpack
from grpcdns.source.manifests.source import Manifests
from tests.unit.source.api.stage import RecordingSink

SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: NAME
  namespace: ns
spec:
  clusterIP: 10.0.0.1
  ports: [{name: http, port: 80}]
"""


def service(name: str) -> str:
    return SERVICE.replace("NAME", name)


class Followed:
    """Nothing waits: a change is taken over at the second look, when the file is at rest."""

    def __init__(self, *paths: Path, **options: Any) -> None:
        self.sink = RecordingSink()
        self.manifests = Manifests(Config(manifests=tuple(map(str, paths)), **options))

    def start(self) -> Followed:
        self.manifests.read(self.sink)
        return self

    def poll(self, times: int = 2) -> bool:
        news = [self.manifests.poll(self.sink) for _ in range(times)]
        return any(news)

    def names(self, kind: Kind = Kind.SERVICE) -> str:
        return self.sink.names(kind)

    def objects(self, kind: Kind) -> list[Object]:
        return [unpack(kind, body) for body in self.sink.store.bodies[kind].values()]
