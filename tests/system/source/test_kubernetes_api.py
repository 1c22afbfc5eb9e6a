"""The source on a real API server: service accounts, restarts, outages."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import EndpointSlice, Kind, Pod, Service
from grpcdns.source.api import retry
from grpcdns.source.api.audit import Audit
from grpcdns.source.api.client import Client
from grpcdns.source.api.decode import Decoder
from grpcdns.source.api.journal import Journal
from grpcdns.source.api.login import from_kubeconfig, in_cluster
from grpcdns.source.api.source import KubernetesApi
from grpcdns.source.api.throttle import Throttle
from grpcdns.source.api.watch import Position, Resource, Watch
from grpcdns.source.kinds import WATCHED
from grpcdns.source.scope import kinds_of
from harness.accounts import READ_DNS
from harness.cluster import Cluster
from harness.objects import endpoints, pod, port, service, service_import
from harness.waiting import wait_until
from tests.unit.source.api.stage import RecordingSink
from tests.unit.source.fake_clock import FakeClock

HTTP = [port(80, "http")]


@contextmanager
def watching(config: Config, login: Any = None) -> Iterator[RecordingSink]:
    """The source, from the moment every kind is listed to its stop."""
    sink = RecordingSink()
    source = KubernetesApi(config, login)
    source.start(sink)
    try:
        wait_until(lambda: set(kinds_of(config.policy())) <= sink.store.listed, "all listed")
        yield sink
    finally:
        source.stop()
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("source-")]


def has(sink: RecordingSink, kind: Kind, namespace: str, prefix: str = "") -> bool:
    return any(key.startswith(f"{namespace}/{prefix}") for key in sink.store.bodies[kind])


@pytest.fixture(scope="module")
def kubeconfig(cluster: Cluster) -> str:
    return str(cluster.service_account_kubeconfig("source"))


def test_objects_come_change_and_go(cluster: Cluster, namespace: str, kubeconfig: str) -> None:
    """With no more rights than to list and watch the needed kinds."""
    api = cluster.api
    with watching(Config(kubeconfig=kubeconfig, pods="verified")) as sink:
        assert "/kubernetes" in " ".join(sink.store.bodies[Kind.SERVICE])
        made = api.create(service("a", namespace=namespace, headless=True, ports=HTTP))
        wait_until(lambda: has(sink, Kind.SERVICE, namespace, "a"), "the Service")
        written = endpoints("a", ["10.1.2.3"], [{"name": "http", "port": 80}], namespace=namespace)
        api.create(written)
        wait_until(lambda: has(sink, Kind.ENDPOINT_SLICE, namespace, "a-"), "the mirrored slice")
        running = cluster.kubelet.run(pod("p", namespace=namespace), ["10.1.9.9"])
        wait_until(
            lambda: sink.get_key(Kind.POD, f"{namespace}/p") == Pod(namespace, "p", "10.1.9.9"),
            "the Pod's address",
        )
        cluster.kubelet.terminate(running)
        api.delete(made)
        wait_until(lambda: not has(sink, Kind.SERVICE, namespace), "the Service gone")
        assert has(sink, Kind.POD, namespace, "p")
        cluster.kubelet.remove(running)
        wait_until(lambda: not has(sink, Kind.POD, namespace), "the Pod gone")


def test_the_api_filters_finished_pods(cluster: Cluster, namespace: str, kubeconfig: str) -> None:
    running = cluster.kubelet.run(pod("p", namespace=namespace), ["10.1.9.8"])
    with watching(Config(kubeconfig=kubeconfig, pods="verified")) as sink:
        assert has(sink, Kind.POD, namespace, "p")
        cluster.kubelet.finish(running)
        wait_until(lambda: not has(sink, Kind.POD, namespace), "the Pod left out")


def test_labels_select(cluster: Cluster, namespace: str, kubeconfig: str) -> None:
    for name, labels in (("a", {"dns": "on"}), ("b", {})):
        cluster.api.create(service(name, namespace=namespace, ports=HTTP, labels=labels))
    config = Config(kubeconfig=kubeconfig, labels="dns in (on,yes)", namespace_labels="!hidden")
    with watching(config) as sink:
        assert has(sink, Kind.SERVICE, namespace, "a")
        assert not has(sink, Kind.SERVICE, namespace, "b")
        assert f"/{namespace}" in sink.store.bodies[Kind.NAMESPACE]


def test_in_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    files = cluster.in_cluster_files("inside")
    for name, value in files.env.items():
        monkeypatch.setenv(name, value)
    with watching(Config(), lambda: in_cluster(Path(files.folder))) as sink:
        assert "/default" in sink.store.bodies[Kind.NAMESPACE]


def test_service_imports_before_and_after_their_definition(
    make_cluster: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing CRD does not hold up readiness; once it exists, its objects are served."""
    caplog.set_level("INFO")
    cluster = make_cluster(controllers=False)
    config = Config(
        kubeconfig=str(cluster.service_account_kubeconfig("source")),
        zones=("cluster.local.", "clusterset.local."),
        multicluster=("clusterset.local.",),
    )
    with watching(config) as sink:
        said = "does not serve multicluster.x-k8s.io/v1beta1 or multicluster.x-k8s.io/v1alpha1"
        assert said in caplog.text
        cluster.install_service_imports()
        meta = {"name": "i", "namespace": "default"}
        spec = {"type": "ClusterSetIP", "ips": ["10.7.7.7"], "ports": [{"port": 80}]}
        version = "multicluster.x-k8s.io/v1alpha1"
        cluster.api.create(
            {"apiVersion": version, "kind": "ServiceImport", "metadata": meta, "spec": spec}
        )
        wait_until(lambda: has(sink, Kind.SERVICE_IMPORT, "default", "i"), "the import", timeout=30)


def test_both_versions_of_service_imports(make_cluster: Any) -> None:
    """The one that is served is watched. An upgrade that serves another one, and no longer the old,
    goes unnoticed."""
    cluster = make_cluster(controllers=False)
    account = cluster.service_account_kubeconfig("source")
    config = Config(
        kubeconfig=str(account),
        zones=("cluster.local.", "clusterset.local."),
        multicluster=("clusterset.local.",),
    )

    def imported(name: str, version: str) -> dict[str, Any]:
        made = service_import(name, ["10.7.7.7"], [{"port": 80}])
        return {**made, "apiVersion": f"multicluster.x-k8s.io/{version}"}

    cluster.install_service_imports("v1beta1")
    cluster.api.create(imported("first", "v1beta1"))
    with watching(config) as sink:
        wait_until(lambda: has(sink, Kind.SERVICE_IMPORT, "default", "first"), "in v1beta1")
        assert not sink.noted("absent")
    cluster.install_service_imports("v1alpha1")
    with watching(config) as sink:
        wait_until(lambda: has(sink, Kind.SERVICE_IMPORT, "default", "first"), "in v1alpha1")
        cluster.install_service_imports("v1beta1")
        cluster.api.create(imported("second", "v1beta1"))
        wait_until(lambda: has(sink, Kind.SERVICE_IMPORT, "default", "second"), "both", timeout=70)
        assert has(sink, Kind.SERVICE_IMPORT, "default", "first")
        assert not sink.noted("absent")


def test_missing_rights_are_named(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    path = cluster.service_account_kubeconfig("less", READ_DNS[1:])
    sink = RecordingSink()
    source = KubernetesApi(Config(kubeconfig=str(path)))
    source.start(sink)
    try:
        wait_until(lambda: len(sink.noted("forbidden")) >= 2, "refused")
        assert Kind.SERVICE not in sink.store.listed
    finally:
        source.stop()
    assert 'Service: not allowed to list and watch: services is forbidden: User "system:' in (
        caplog.text
    )


def test_the_api_is_killed_and_comes_back(make_cluster: Any) -> None:
    """Nothing changes during the outage; an object deleted meanwhile is gone afterwards."""
    cluster = make_cluster(controllers=False)
    api = cluster.api
    for name in ("a", "b"):
        api.create(service(name, ports=HTTP))
    config = Config(kubeconfig=str(cluster.service_account_kubeconfig("source")))
    with watching(config) as sink:
        before = dict(sink.store.bodies[Kind.SERVICE])
        cluster.apiserver.kill()
        wait_until(lambda: sink.noted("api_lost"), "the loss noticed")
        assert sink.store.bodies[Kind.SERVICE] == before
        cluster.start_apiserver()
        api.delete(service("a"))
        api.create(service("c", ports=HTTP))
        wait_until(lambda: sink.noted("api_back"), "its return", timeout=60)
        wait_until(
            lambda: (
                has(sink, Kind.SERVICE, "default", "c")
                and not has(sink, Kind.SERVICE, "default", "a")
            ),
            "the changes made meanwhile",
            timeout=60,
        )
        assert has(sink, Kind.SERVICE, "default", "b")


class Single:
    """One watch of a real API, with its own timeouts."""

    def __init__(self, login: Any, *, kind: Kind = Kind.SERVICE, read_timeout: float = 5.0) -> None:
        self.clock = FakeClock()
        self.sink = RecordingSink()
        self.client = Client(
            login, Throttle(self.clock), connect_timeout=1, read_timeout=read_timeout
        )
        self.journal = Journal(self.sink, self.clock)
        self.watch = Watch(
            Resource(WATCHED[kind].paths[0], {}),
            Decoder(kind),
            self.client,
            self.sink,
            self.journal,
            self.clock,
        )

    @contextmanager
    def running(self) -> Iterator[RecordingSink]:
        thread = threading.Thread(target=self.watch.run, daemon=True)
        thread.start()
        try:
            wait_until(lambda: self.watch.synced, "listed")
            yield self.sink
        finally:
            self.clock.stopped = True
            self.client.stop()
            thread.join(5)


def test_f12_a_frozen_api_is_noticed(make_cluster: Any) -> None:
    """Its connections stay open and silent; afterwards the watch resumes where it was."""
    cluster = make_cluster(controllers=False)
    path = str(cluster.service_account_kubeconfig("source"))
    single = Single(lambda: from_kubeconfig(path), read_timeout=0.5)
    with single.running() as sink:
        cluster.apiserver.freeze()
        wait_until(lambda: sink.noted("api_lost"), "the loss noticed", timeout=20)
        cluster.apiserver.thaw()
        cluster.api.create(service("late", ports=HTTP))
        wait_until(lambda: has(sink, Kind.SERVICE, "default", "late"), "the next event", timeout=30)


def test_an_idle_watch_ends_in_order_before_the_read_timeout(
    cluster: Cluster, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a bookmark, as for a kind that nothing happens to (here ten times as fast)."""
    monkeypatch.setattr(retry, "WATCH_TIMEOUT", (4, 5))
    single = Single(lambda: from_kubeconfig(kubeconfig), kind=Kind.POD, read_timeout=5.5)
    monkeypatch.setattr(single.journal, "reached", lambda _kind: single.clock.advance(4.5))
    with single.running() as sink:
        before = sink.heard_count
        start = single.clock.now()
        wait_until(lambda: single.clock.now() >= start + 3 * 4.5, "three watches", timeout=30)
        assert sink.heard_count >= before + 2
        assert not sink.noted("rewatch")
        assert not sink.noted("relist")


def test_f14_a_rotated_token_is_read_again(make_cluster: Any) -> None:
    """The old token is rejected at once: its account is deleted."""
    cluster = make_cluster(controllers=False)
    path = cluster.service_account_kubeconfig("first")
    second = cluster.service_account_kubeconfig("second").read_text()
    single = Single(lambda: from_kubeconfig(str(path)), read_timeout=1.0)
    with single.running() as sink:
        path.write_text(second)
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        cluster.api.delete({**account, "metadata": {"name": "first", "namespace": "default"}})
        cluster.api.create(service("later", ports=HTTP))
        wait_until(
            lambda: len(sink.noted("list")) >= 3 and has(sink, Kind.SERVICE, "default", "later"),
            "watched again",
            timeout=30,
        )
        assert not sink.noted("forbidden")


def test_f11_events_that_a_real_watch_missed_are_repaired(
    cluster: Cluster, namespace: str, kubeconfig: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Events are withheld from the watch."""
    caplog.set_level(logging.WARNING)
    for name in ("keep", "change", "delete"):
        cluster.api.create(service(name, namespace=namespace, ports=HTTP))
    single = Single(lambda: from_kubeconfig(kubeconfig), read_timeout=60)
    with single.running() as sink:
        deaf = single.watch
        deaf._apply, hears = lambda *_: None, deaf._apply  # type: ignore[method-assign]
        changed = service("change", namespace=namespace)
        cluster.api.patch(changed, {"spec": {"ports": [port(81, "http")]}})
        cluster.api.delete(service("delete", namespace=namespace))
        cluster.api.create(service("create", namespace=namespace, ports=HTTP))
        check = Audit([deaf], single.client, single.journal, single.clock)
        try:
            check.check(deaf, whole=True)
        finally:
            check.close()
        deaf._apply = hears  # type: ignore[method-assign]
        wait_until(lambda: sink.noted("repaired"), "the repair", timeout=30)
        (repaired,) = sink.noted("repaired")
        assert repaired["changes"] == 3
        found = sink.get_key(Kind.SERVICE, f"{namespace}/change")
        assert isinstance(found, Service)
        assert found.ports[0].number == 81
        assert not has(sink, Kind.SERVICE, namespace, "delete")
    for key in ("create", "change", "delete"):
        assert f"{namespace}/{key}" in caplog.text


def test_pages_of_a_real_api(cluster: Cluster, namespace: str, kubeconfig: str) -> None:
    """More objects than a page holds, at a version that the API serves in pages."""
    cluster.api.create_all(service(f"s{n}", namespace=namespace, ports=HTTP) for n in range(510))
    single = Single(lambda: from_kubeconfig(kubeconfig))
    single.watch._paged = True
    listing, version = single.watch._pages("", Position(lost=True))
    single.client.stop()
    single.watch._connection.close()
    assert sum(key.startswith(f"{namespace}/") for key, _, _ in listing) == 510
    assert version.isdecimal()


def test_new_options_relist_the_fields_they_need(
    cluster: Cluster, namespace: str, kubeconfig: str
) -> None:
    api = cluster.api
    api.create(service("s", namespace=namespace, headless=True, ports=HTTP, selector={"a": "b"}))
    cluster.kubelet.run(pod("p", namespace=namespace, labels={"a": "b"}), ["10.1.9.7"])
    sink = RecordingSink()
    source = KubernetesApi(Config(kubeconfig=kubeconfig))
    source.start(sink)

    def pods() -> set[str]:
        slices = [
            sink.get_key(Kind.ENDPOINT_SLICE, key)
            for key in sink.store.bodies[Kind.ENDPOINT_SLICE]
            if key.startswith(f"{namespace}/")
        ]
        return {e.pod for s in slices if isinstance(s, EndpointSlice) for e in s.endpoints}

    try:
        wait_until(lambda: pods() == {""}, "the slice")
        source.set_policy(Config(endpoint_pod_names=True).policy())
        wait_until(lambda: pods() == {"p"}, "the Pod's name")
    finally:
        source.stop()
