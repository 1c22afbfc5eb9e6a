"""A cluster of its own with CoreDNS as kubeadm lays it down: its kube-system may be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from harness.build import Unavailable, binary, build
from harness.cluster import Cluster
from harness.fixtures import built
from tests.system.deploy.kustomize import KUSTOMIZE

STOCK: Final = Path(__file__).with_name("stock.yaml")
Apply = Callable[..., list[dict[str, Any]]]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds kustomize before the first test, outside any test's time limit."""
    wanted = any({"kustomize", "kubeadm"} & set(names(item)) for item in session.items)
    if wanted and not session.config.option.collectonly:
        try:
            build(KUSTOMIZE)
        except Unavailable:
            pass  # its tests say so, by skipping


def names(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def kustomize() -> Path:
    return built(partial(build, KUSTOMIZE))


@pytest.fixture(scope="module")
def kubeadm(kustomize: Path) -> Iterator[Cluster]:
    for name in ("etcd", "kube-apiserver"):
        built(partial(binary, name))
    with Cluster(controllers=False) as running:
        for obj in yaml.safe_load_all(STOCK.read_text()):
            path = running.api._collection(obj)
            running.api.request("POST", f"{path}?fieldManager=kubeadm", obj)
        yield running


@pytest.fixture(scope="module")
def apply(kubeadm: Cluster) -> Apply:
    """Server-side apply of objects, as `kubectl apply --server-side --field-manager grpcdns`."""

    def run(objects: list[dict[str, Any]], *, dry: bool = False) -> list[dict[str, Any]]:
        done = []
        for obj in objects:
            query = "fieldManager=grpcdns&force=true&fieldValidation=Strict"
            path = f"{kubeadm.api._path(obj)}?{query}{'&dryRun=All' if dry else ''}"
            done.append(
                kubeadm.api.request("PATCH", path, obj, content_type="application/apply-patch+yaml")
            )
        return done

    return run
