"""The harness as pytest fixtures; `tests/conftest.py` names this module in `pytest_plugins`.

    cluster          one cluster for the whole run; `namespace` is a new namespace in it
    own_cluster      a cluster of the test module, without controllers: to fill, kill and freeze
    make_cluster     starts a cluster of the test
    coredns          starts CoreDNS with a Corefile
    crane            the path of crane
    grpcurl          runs grpcurl
    helm             the path of helm
    kubectl          the path of kubectl
    kustomize        the path of kustomize
    kubectl_reader   the path of kubectl's reader of manifests (tests/servers/manifests)
    chromium         a headless browser
    promql           the path of Prometheus's parser (tests/servers/promql)
    promrules        the path of its rule engine (tests/servers/promql/rules)

The servers behind them are built before the first test runs, outside any test's time limit. When
one cannot be built, its tests are skipped, and the summary says which server is missing and why.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from harness import grpcurl as grpcurl_module
from harness.build import Unavailable, binary
from harness.chromium import Chromium
from harness.chromium_package import find as find_chromium
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.dns_server import DnsServer, Reply
from harness.objects import namespace as namespace_object

MISSING: Final = "REAL SERVER MISSING"
NOT_RUN: Final = "NOT RUN HERE"
"""What a test that the machine does not allow is skipped with."""

_BARE_CLUSTER: Final = ("etcd", "kube-apiserver")
_CLUSTER: Final = (*_BARE_CLUSTER, "kube-controller-manager")
NEEDS: Final = {
    "cluster": _CLUSTER,
    "make_cluster": _CLUSTER,
    "own_cluster": _BARE_CLUSTER,
    "coredns": ("coredns",),
    "crane": ("crane",),
    "grpcurl": ("grpcurl",),
    "helm": ("helm",),
    "kubectl": ("kubectl",),
    "kustomize": ("kustomize",),
    "kubectl_reader": ("manifests",),
    "promql": ("promql",),
    "promrules": ("promrules",),
    "actionlint": ("actionlint",),
    "chromium": (),
}
"""Fixture -> the servers behind it."""

_namespaces = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One cluster for the whole run: don't stop it, and keep your objects in a `namespace`."""
    skip_unless_built("cluster")
    with Cluster() as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """A headless browser for the whole run."""
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(Chromium())
        except Unavailable as error:
            pytest.skip(f"{MISSING}: {error}")
        yield browser


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A cluster of the test module, without controllers: to fill, kill and freeze."""
    skip_unless_built("own_cluster")
    with Cluster(controllers=False) as running:
        yield running


@pytest.fixture
def make_cluster() -> Iterator[Callable[..., Cluster]]:
    """Starts a cluster for one test: `make_cluster(controllers=...)`."""
    skip_unless_built("make_cluster")
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Cluster(**options))


@pytest.fixture
def dns_server() -> Iterator[Callable[[Reply], DnsServer]]:
    """A DNS server that may misbehave: `dns_server(reply)`."""
    made: list[DnsServer] = []

    def make(reply: Reply) -> DnsServer:
        made.append(DnsServer(reply))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A new namespace in `cluster`, deleted after the test."""
    made = cluster.api.create(namespace_object(f"test-{next(_namespaces)}"))
    yield made["metadata"]["name"]
    cluster.api.delete(made)


@pytest.fixture
def coredns() -> Iterator[Callable[..., CoreDNS]]:
    """Starts CoreDNS with a Corefile: `coredns(text, env=...)`; stopped after the test."""
    skip_unless_built("coredns")
    with ExitStack() as stack:
        yield lambda corefile, **options: stack.enter_context(CoreDNS(corefile, **options))


@pytest.fixture(scope="session")
def grpcurl() -> Callable[..., grpcurl_module.Output]:
    """Runs grpcurl: `grpcurl("HOST:PORT", "list")`."""
    skip_unless_built("grpcurl")
    return grpcurl_module.grpcurl


@pytest.fixture(scope="session")
def crane() -> Path:
    return built(partial(binary, "crane"))


@pytest.fixture(scope="session")
def helm() -> Path:
    return built(partial(binary, "helm"))


@pytest.fixture(scope="session")
def kustomize() -> Path:
    return built(partial(binary, "kustomize"))


@pytest.fixture(scope="session")
def kubectl() -> Path:
    return built(partial(binary, "kubectl"))


@pytest.fixture(scope="session")
def kubectl_reader() -> Path:
    return built(partial(binary, "manifests"))


@pytest.fixture(scope="session")
def promql() -> Path:
    return built(partial(binary, "promql"))


@pytest.fixture(scope="session")
def promrules() -> Path:
    return built(partial(binary, "promrules"))


def skip_unless_built(fixture: str) -> None:
    """Skips the test when a server behind a fixture cannot be built; the summary says so."""
    for name in NEEDS[fixture]:
        built(partial(binary, name))


def built(build: Callable[[], Path]) -> Path:
    """The program that ``build`` returns; skips the test when it cannot be built."""
    try:
        return build()
    except Unavailable as error:
        pytest.skip(f"{MISSING}: {error}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that need a real server as `servers`, before `-m` selects."""
    for item in items:
        if not NEEDS.keys().isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Builds what the collected tests need."""
    if session.config.option.collectonly:
        return
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    capture = session.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else ExitStack():
        for name in dict.fromkeys(itertools.chain(*(NEEDS.get(one, ()) for one in fixtures))):
            try:
                binary(name)
            except Unavailable:
                pass  # its tests are skipped
        if "chromium" in fixtures:
            try:
                find_chromium()
            except Unavailable:
                pass


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Repeats at the end, in red, which server was missing and what the machine does not allow."""
    reasons = {
        report.longrepr[2]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
        and any(word in report.longrepr[2] for word in (MISSING, NOT_RUN))
    }
    for reason in sorted(reasons):
        terminalreporter.write_line(reason.removeprefix("Skipped: "), red=True, bold=True)
