"""The networks of a cluster's Services and Pods, read once from the API or from manifests: Services
from the ServiceCIDR objects, Pods from the Nodes. The same reading counts the names, for the size
of the cache. Only ``corefile`` needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from grpcdns.cli import NotDone
from grpcdns.cli.progress import Progress
from grpcdns.config.options import Config, UserError
from grpcdns.corefile.cache import Names
from grpcdns.corefile.networks import node_cidrs, service_cidrs
from grpcdns.corefile.write import pod_networks
from grpcdns.preflight import names
from grpcdns.preflight.resources import Resource
from grpcdns.source.api.client import ApiError, Client, Connection, Unreachable
from grpcdns.source.api.login import Login, from_kubeconfig, in_cluster
from grpcdns.source.api.source import expect_answer
from grpcdns.source.api.throttle import Throttle
from grpcdns.source.clock import WallClock
from grpcdns.source.manifests.documents import Document, plain, read_documents
from grpcdns.source.manifests.files import Files, read_bytes
from grpcdns.source.manifests.values import ManifestError

SERVICE_CIDRS: Final = "/apis/networking.k8s.io/v1/servicecidrs"
NODES: Final = "/api/v1/nodes"
READ_TIMEOUT: Final = 10.0
"""Seconds without a byte of an answer, once the API has shown that it answers."""


class Networks(NamedTuple):
    """CIDRs, remarks on what could not be found, and the names that were counted with them."""

    services: tuple[str, ...]
    pods: tuple[str, ...]
    missing: tuple[str, ...]
    names: Names = Names()


def find_networks(
    config: Config, form: str, services: Sequence[str] = (), pods: Sequence[str] = ()
) -> Networks:
    """``form``: of --output, for the progress. ``services``, ``pods``: those that are given; of
    these, what the cluster says is ignored.

    Raises NotDone when the API does not answer, `UserError` when no option says where it is.
    """
    missing: list[str] = []
    with Progress("reading the cluster", form):
        found, nodes, counted = _read(config, missing)
    of_services = tuple(services) or service_cidrs(found)
    of_pods = tuple(pods) or pod_networks(node_cidrs(nodes))
    if not of_services:
        missing.append("the Service networks; give --service-cidr, as kube-apiserver has it")
    if not of_pods:
        missing.append("the Pod networks (Nodes without podCIDRs); give --pod-cidr")
    return Networks(of_services, of_pods, tuple(missing), counted)


def _read(config: Config, missing: list[str]) -> tuple[list[Any], list[Any], Names]:
    """ServiceCIDRs, Nodes, and the names that there are."""
    if config.manifests:
        objects = [*_manifests(config.manifests)]
        services = [plain(one) for one in objects if one.kind == "ServiceCIDR"]
        nodes = [plain(one) for one in objects if one.kind == "Node"]
        counted = _count_in(objects)
    else:
        with _connection(config) as connection:
            services = _items(connection, SERVICE_CIDRS, "ServiceCIDRs", missing)
            nodes = _items(connection, NODES, "Nodes", missing)
            counted = _ask_count(connection)
    return services, nodes, counted


def count_names(config: Config, form: str) -> Names:
    """Without the networks; ``form``: of --output. Where they cannot be counted, the reason."""
    try:
        if config.manifests:
            return _count_in(_manifests(config.manifests))
        with Progress("reading the cluster", form), _connection(config) as connection:
            return _ask_count(connection)
    except (NotDone, UserError) as error:
        return Names(source=str(error))


@contextmanager
def _connection(config: Config) -> Iterator[Connection]:
    clock = WallClock()
    login = _login(config)
    client = Client(lambda: login, Throttle(clock), read_timeout=READ_TIMEOUT)
    connection = client.connect()
    try:
        expect_answer(login, clock)
        yield connection
    except Unreachable as error:
        raise NotDone(f"the Kubernetes API does not answer: {error}") from error
    finally:
        connection.close()


def _items(connection: Connection, path: str, what: str, missing: list[str]) -> list[Any]:
    try:
        items: list[Any] = msgspec.json.decode(connection.get(path, {}))["items"]
    except ApiError as error:
        missing.append(f"{what} cannot be listed: {error}")
        return []
    return items


def _ask_count(connection: Connection) -> Names:
    def get(one: Resource, limit: int) -> Any:
        return msgspec.json.decode(connection.get(one.path, {"limit": str(limit)}))

    try:
        return names.ask(get, _today())
    except ApiError as error:
        return Names(source=f"they cannot be listed: {error}")


def _count_in(objects: Iterable[Document]) -> Names:
    found = ((one.kind, one) for one in objects if one.kind in names.KINDS)
    try:
        return names.from_objects(((kind, plain(one)) for kind, one in found), _today())
    except RecursionError:
        return Names(source="an object is nested too deep")


def _today() -> date:
    return datetime.now(UTC).date()


def _login(config: Config) -> Login:
    return from_kubeconfig(config.kubeconfig, config.context) if config.kubeconfig else in_cluster()


def _manifests(paths: tuple[str, ...]) -> Iterator[Document]:
    """The objects in files and folders. Raises `UserError` for a named file that cannot be read."""
    files = Files(map(Path, paths))
    for path, os_error in files.unreadable.items():
        raise UserError(f"--manifests: {path}: {os_error.strerror}") from os_error
    for file in files.paths:
        in_folder = file in files.below
        try:
            yield from read_documents(read_bytes(file, regular=in_folder), lambda *_: None)
        except (OSError, ManifestError) as error:
            if not in_folder:
                raise UserError(f"--manifests: {file}: {error}") from error
