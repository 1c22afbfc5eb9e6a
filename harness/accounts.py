"""Service accounts of a cluster: their rights, and the files that let a program act as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.api import Api, ApiError, Object
from harness.kubeconfig import write_kubeconfig
from harness.ports import Address

Rules = Sequence[Mapping[str, Any]]
"""The rules of a ClusterRole, as in YAML."""

READ_DNS: Final[Rules] = (
    {
        "apiGroups": [""],
        "resources": ["namespaces", "services", "pods", "endpoints"],
        "verbs": ["list", "watch"],
    },
    {
        "apiGroups": ["discovery.k8s.io"],
        "resources": ["endpointslices"],
        "verbs": ["list", "watch"],
    },
    {
        "apiGroups": ["multicluster.x-k8s.io"],
        "resources": ["serviceimports"],
        "verbs": ["list", "watch"],
    },
)
"""The rights that CoreDNS's own `kubernetes` plugin needs."""


class InCluster(NamedTuple):
    """The files and the environment that a container in the cluster has."""

    folder: Path
    """As /var/run/secrets/kubernetes.io/serviceaccount: token, ca.crt, namespace."""
    env: Mapping[str, str]
    """KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT."""

    @property
    def inside(self) -> list[str]:
        """A command prefix that mounts the files where a container has them, in a private mount
        namespace; it ends in exec, so the PID is that of the command."""
        script = (
            "mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io/serviceaccount && "
            f"mount --bind {self.folder} /run/secrets/kubernetes.io/serviceaccount && "
            'exec "$@"'
        )
        return ["unshare", "--map-root-user", "--user", "--mount", "sh", "-c", script, "sh"]


class Accounts:
    """The part of a `Cluster` that creates service accounts."""

    api: Api
    address: Address
    ca: Path
    folder: Path

    def service_account_kubeconfig(
        self, name: str, rules: Rules = READ_DNS, *, namespace: str = "default"
    ) -> Path:
        """A kubeconfig of a service account that has the rights in `rules` and no others."""
        self._put_account(name, rules, namespace)
        return self.kubeconfig_of(name, namespace=namespace)

    def kubeconfig_of(self, name: str, *, namespace: str = "default") -> Path:
        """A kubeconfig of a service account that exists."""
        path = self.folder / f"{namespace}-{name}.kubeconfig"
        token = self._token(name, namespace)
        return write_kubeconfig(path, self.address, self.ca, token=token)

    def in_cluster_files(
        self, name: str, rules: Rules = READ_DNS, *, namespace: str = "default"
    ) -> InCluster:
        """The same, as the files and the environment of a container."""
        self._put_account(name, rules, namespace)
        return self.in_cluster_files_of(name, namespace=namespace)

    def in_cluster_files_of(self, name: str, *, namespace: str = "default") -> InCluster:
        """The files and the environment of a container, for a service account that exists."""
        folder = self.folder / f"{namespace}-{name}-serviceaccount"
        folder.mkdir(exist_ok=True)
        (folder / "token").write_text(self._token(name, namespace))
        (folder / "ca.crt").write_bytes(self.ca.read_bytes())
        (folder / "namespace").write_text(namespace)
        host, port = self.address
        env = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        return InCluster(folder, env)

    def service_account_api(
        self, name: str, rules: Rules = READ_DNS, *, namespace: str = "default"
    ) -> Api:
        """The API as that service account."""
        token = self.service_account_token(name, rules, namespace=namespace)
        return Api(self.address, self.ca, token=token)

    def service_account_token(
        self,
        name: str,
        rules: Rules = READ_DNS,
        *,
        namespace: str = "default",
        hours: int = 24,
        bound_to: Object | None = None,
    ) -> str:
        """Creates the ServiceAccount, its ClusterRole and binding, or updates them; a new token,
        which is valid as long as the Secret or Pod that it is bound to is there."""
        self._put_account(name, rules, namespace)
        return self._token(name, namespace, hours, bound_to)

    def _token(
        self, name: str, namespace: str, hours: int = 24, bound_to: Object | None = None
    ) -> str:
        spec: Object = {"expirationSeconds": hours * 3600}
        if bound_to is not None:
            spec["boundObjectRef"] = {
                "apiVersion": bound_to["apiVersion"],
                "kind": bound_to["kind"],
                "name": bound_to["metadata"]["name"],
            }
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        return str(self.api.request("POST", path, request)["status"]["token"])

    def _put_account(self, name: str, rules: Rules, namespace: str) -> None:
        for obj in _account(name, namespace, rules):
            self._put(obj)

    def _put(self, obj: Object) -> None:
        try:
            self.api.create(obj)
        except ApiError as error:
            if error.code != 409:
                raise
            self.api.patch(obj, obj)


def _account(name: str, namespace: str, rules: Rules) -> list[Object]:
    rbac = "rbac.authorization.k8s.io"
    role = f"{namespace}:{name}"
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": role},
            "rules": [dict(rule) for rule in rules],
        },
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
        },
    ]
