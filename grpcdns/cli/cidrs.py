"""The networks of a cluster's Services and Pods, read once from the API or from manifests: Services
from the ServiceCIDR objects, Pods from the Nodes. Only ``corefile`` needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from grpcdns.cli import NotDone
from grpcdns.config.options import Config, UserError
from grpcdns.corefile.networks import node_cidrs, service_cidrs
from grpcdns.corefile.write import pod_networks
from grpcdns.source.api.client import ApiError, Client, Unreachable
from grpcdns.source.api.login import Login, from_kubeconfig, in_cluster
from grpcdns.source.api.throttle import Throttle
from grpcdns.source.clock import WallClock
from grpcdns.source.manifests.documents import Document, plain, read_documents
from grpcdns.source.manifests.files import Files, read_bytes
from grpcdns.source.manifests.values import ManifestError

SERVICE_CIDRS: Final = "/apis/networking.k8s.io/v1/servicecidrs"
NODES: Final = "/api/v1/nodes"


class Networks(NamedTuple):
    """CIDRs, and remarks on what could not be found."""

    services: tuple[str, ...]
    pods: tuple[str, ...]
    missing: tuple[str, ...]


def find_networks(config: Config) -> Networks:
    """Raises NotDone when the API is unreachable, `UserError` when no option says where it is."""
    missing: list[str] = []
    if config.manifests:
        objects = [*_manifests(config.manifests)]
        services = [plain(one) for one in objects if one.kind == "ServiceCIDR"]
        nodes = [plain(one) for one in objects if one.kind == "Node"]
    else:
        services, nodes = _from_api(config, missing)
    of_services = service_cidrs(services)
    of_nodes = node_cidrs(nodes)
    if not of_services:
        missing.append("the Service networks; give --service-cidr, as kube-apiserver has it")
    if not of_nodes:
        missing.append("the Pod networks (Nodes without podCIDRs); give --pod-cidr")
    return Networks(of_services, pod_networks(of_nodes), tuple(missing))


def _from_api(config: Config, missing: list[str]) -> tuple[list[Any], list[Any]]:
    client = Client(lambda: _login(config), Throttle(WallClock()))
    connection = client.connect()
    found: list[list[Any]] = []
    try:
        for path, what in ((SERVICE_CIDRS, "ServiceCIDRs"), (NODES, "Nodes")):
            try:
                found.append(msgspec.json.decode(connection.get(path, {}))["items"])
            except ApiError as error:
                missing.append(f"{what} cannot be listed: {error}")
                found.append([])
            except Unreachable as error:
                raise NotDone(f"the API is unreachable: {error}") from error
    finally:
        connection.close()
    return found[0], found[1]


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
