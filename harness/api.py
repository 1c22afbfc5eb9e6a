"""A small Kubernetes API client for tests: plain dicts in and out, fast enough for 20,000 objects.

Objects are as in YAML: `{"apiVersion": ..., "kind": ..., "metadata": {...}, ...}`. A namespaced
object without `metadata.namespace` goes to `default`. The path of a kind, and whether it is
namespaced, come from the API's discovery, once for each apiVersion.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import urllib3

from harness.certificates import KeyPair
from harness.ports import Address

Object = dict[str, Any]
"""A Kubernetes object, or another JSON object of the API."""

MERGE_PATCH: Final = "application/merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"
THREADS: Final = 16


class ApiError(Exception):
    """The API answered with an error."""

    def __init__(self, method: str, path: str, code: int, message: str) -> None:
        super().__init__(f"{method} {path}: {code} {message}")
        self.code = code


class _Kind(NamedTuple):
    plural: str
    namespaced: bool


class Api:
    """The API as one user: by client certificate, by token, or (with neither) anonymously."""

    def __init__(
        self,
        address: Address,
        ca: Path,
        *,
        client: KeyPair | None = None,
        token: str | None = None,
        timeout: float = 30.0,
    ) -> None:
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._pool = urllib3.HTTPSConnectionPool(
            address.host,
            address.port,
            ca_certs=str(ca),
            cert_file=str(client.cert) if client else None,
            key_file=str(client.key) if client else None,
            maxsize=THREADS,
            timeout=timeout,
            retries=False,
        )

    def create(self, obj: Mapping[str, Any], *, manager: str = "tests") -> Object:
        """`manager` owns the fields, for server-side apply."""
        path = _with_query(self._collection(obj), {"fieldManager": manager})
        return self.request("POST", path, obj)

    def create_all(self, objects: Iterable[Mapping[str, Any]]) -> list[Object]:
        """Creates many in parallel, in any order; returns them in the order given."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self.create, objects))

    def apply(
        self, obj: Mapping[str, Any], *, manager: str = "tests", dry_run: bool = False
    ) -> Object:
        """Server-side apply: creates or updates. Unknown fields are refused."""
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        path = _with_query(self._path(obj), query)
        return self.request("PATCH", path, obj, content_type=APPLY_PATCH)

    def get(self, kind: str, name: str, namespace: str = "default", version: str = "v1") -> Object:
        return self.request("GET", self._path(_reference(kind, name, namespace, version)))

    def list(
        self, kind: str, namespace: str | None = None, version: str = "v1", **query: str
    ) -> list[Object]:
        """The items of one namespace, or of all; `labelSelector="a=b"` and the like as keywords."""
        path = self._kind_path(version, kind, namespace)
        items: list[Object] = self.request("GET", _with_query(path, query))["items"]
        return items

    def patch(self, obj: Mapping[str, Any], change: Mapping[str, Any]) -> Object:
        """A merge patch of the object that `obj` names; null removes a field."""
        return self.request("PATCH", self._path(obj), change, content_type=MERGE_PATCH)

    def patch_status(self, obj: Mapping[str, Any], status: Mapping[str, Any]) -> Object:
        path = f"{self._path(obj)}/status"
        return self.request("PATCH", path, {"status": status}, content_type=MERGE_PATCH)

    def delete(self, obj: Mapping[str, Any]) -> Object:
        """Without a grace period; dependants are deleted in the background."""
        options = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        return self.request("DELETE", self._path(obj), options)

    def delete_all(self, objects: Iterable[Mapping[str, Any]]) -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self.delete, objects))

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
    ) -> Object:
        """Any request; raises `ApiError` for a status of 400 or higher."""
        response = self._pool.request(
            method,
            path,
            body=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content_type, **self._headers},
        )
        if response.status >= 400:
            raise ApiError(method, path, response.status, _message(response.data))
        answer: Object = json.loads(response.data) if response.data[:1] == b"{" else {}
        return answer

    def close(self) -> None:
        self._pool.close()

    def _collection(self, obj: Mapping[str, Any]) -> str:
        namespace = obj["metadata"].get("namespace", "default")
        return self._kind_path(obj["apiVersion"], obj["kind"], namespace)

    def _path(self, obj: Mapping[str, Any]) -> str:
        return f"{self._collection(obj)}/{obj['metadata']['name']}"

    def _kind_path(self, version: str, kind: str, namespace: str | None) -> str:
        found = self._find_kind(version, kind)
        within = f"/namespaces/{namespace}" if found.namespaced and namespace else ""
        return f"{_root(version)}{within}/{found.plural}"

    def _find_kind(self, version: str, kind: str) -> _Kind:
        if (version, kind) not in self._kinds:
            for resource in self.request("GET", _root(version))["resources"]:
                if "/" not in resource["name"]:
                    found = _Kind(resource["name"], resource["namespaced"])
                    self._kinds[version, resource["kind"]] = found
        return self._kinds[version, kind]


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _reference(kind: str, name: str, namespace: str, version: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _with_query(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
