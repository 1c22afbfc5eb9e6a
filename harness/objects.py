"""Kubernetes API objects for tests: the plain dicts that `Api` takes, and files of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.api import Object


def write_list(path: Path, objects: Iterable[Object]) -> Path:
    """A manifest file: all objects in one List."""
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))
    return path


def namespace(name: str, *, labels: Mapping[str, str] | None = None) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": dict(labels or {})},
    }


def port(number: int, name: str = "", protocol: str = "TCP", target: int | None = None) -> Object:
    """A Service's port."""
    named = {"name": name} if name else {}
    return {**named, "port": number, "protocol": protocol, "targetPort": target or number}


def service(
    name: str,
    *,
    namespace: str = "default",
    selector: Mapping[str, str] | None = None,
    ports: Sequence[Mapping[str, Any]] = (),
    cluster_ips: Sequence[str] = (),
    headless: bool = False,
    labels: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A Service; other fields of its spec as keywords, as in YAML (`type=`, `externalName=`)."""
    ips = ["None"] if headless else list(cluster_ips)
    chosen = {"clusterIP": ips[0], "clusterIPs": ips} if ips else {}
    selecting = {"selector": dict(selector)} if selector else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {})},
        "spec": {**chosen, **selecting, "ports": [dict(one) for one in ports], **spec},
    }


def pod(
    name: str,
    *,
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    ports: Sequence[Mapping[str, Any]] = (),
    **spec: Any,
) -> Object:
    """A Pod with one container; other fields of its spec as keywords (`hostname=`)."""
    container = {"name": "main", "image": "none", "ports": [dict(one) for one in ports]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels or {})},
        "spec": {"containers": [container], "automountServiceAccountToken": False, **spec},
    }


def endpoints(
    name: str, ips: Sequence[str], ports: Sequence[Mapping[str, Any]], *, namespace: str = "default"
) -> Object:
    """Endpoints written by hand, for a Service without a selector."""
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": name, "namespace": namespace},
        "subsets": [{"addresses": [{"ip": ip} for ip in ips], "ports": [dict(p) for p in ports]}],
    }


def endpoint_slice(
    name: str,
    service: str,
    endpoints: Sequence[Mapping[str, Any]],
    ports: Sequence[Mapping[str, Any]],
    *,
    namespace: str = "default",
    family: str = "IPv4",
) -> Object:
    """An EndpointSlice written by hand; each endpoint and port as in YAML."""
    labels = {"kubernetes.io/service-name": service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "addressType": family,
        "endpoints": [dict(endpoint) for endpoint in endpoints],
        "ports": [dict(one) for one in ports],
    }


def service_cidr(name: str, *cidrs: str) -> Object:
    """Networks that cluster IPs are taken from."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": name},
        "spec": {"cidrs": list(cidrs)},
    }


def service_import(
    name: str, ips: Sequence[str], ports: Sequence[Mapping[str, Any]], *, namespace: str = "default"
) -> Object:
    """A ServiceImport of multicluster.x-k8s.io/v1alpha1; headless when it has no `ips`."""
    return {
        "apiVersion": "multicluster.x-k8s.io/v1alpha1",
        "kind": "ServiceImport",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "type": "ClusterSetIP" if ips else "Headless",
            "ips": list(ips),
            "ports": [dict(one) for one in ports],
        },
    }


def service_import_definition(*served: str) -> Object:
    """The CustomResourceDefinition of ServiceImport: the group and names of the MCS API
    (KEP-1645), with any fields. ``served``: the versions that are; the definition has both."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties = {"spec": anything, "status": anything}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "serviceimports.multicluster.x-k8s.io",
            # Required for groups under *.k8s.io: who approved them, or that nobody did.
            "annotations": {"api-approved.kubernetes.io": "unapproved, a test's copy"},
        },
        "spec": {
            "group": "multicluster.x-k8s.io",
            "scope": "Namespaced",
            "names": {
                "plural": "serviceimports",
                "singular": "serviceimport",
                "kind": "ServiceImport",
                "listKind": "ServiceImportList",
                "shortNames": ["svcim"],
            },
            "versions": [
                {
                    "name": version,
                    "served": version in served,
                    "storage": version == "v1alpha1",
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
                }
                for version in ("v1alpha1", "v1beta1")
            ],
        },
    }
