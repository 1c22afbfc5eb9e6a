"""A real Kubernetes control plane on 127.0.0.1: etcd, kube-apiserver and the controllers that DNS
needs, in a temporary folder, without nodes (see `kubelet`).

    with Cluster() as cluster:
        cluster.api.create(service("xecho", cluster_ips=["10.96.49.52"]))
        kubeconfig = cluster.service_account_kubeconfig("dns", RULES)

The API has TLS and RBAC, and refuses requests without credentials. Each part is a `Process`
(`cluster.etcd`, `cluster.apiserver`, `cluster.controllers`) and may be frozen or killed;
`cluster.start_etcd()` and the like start it again on the same port, with the same data.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import urllib3

from harness.accounts import Accounts
from harness.api import Api, ApiError
from harness.build import binary
from harness.certificates import Authority, signing_key
from harness.kubeconfig import write_kubeconfig
from harness.kubelet import Kubelet
from harness.objects import service_import_definition
from harness.ports import LOOPBACK, free_address
from harness.process import Process
from harness.started import Started
from harness.waiting import wait_until

SERVICE_RANGE: Final = "10.96.0.0/16,fd00:96::/112"
API_SERVICE_IP: Final = "10.96.0.1"

CONTROLLERS: Final = (
    "endpoints-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
)


class Cluster(Started, Accounts):
    """The control plane, up between `start` and `stop`; `stop` also deletes its folder.

    ``apiserver_flags`` are added to those of kube-apiserver.
    """

    def __init__(self, *, controllers: bool = True, apiserver_flags: Sequence[str] = ()) -> None:
        self._with_controllers = controllers
        self._more_flags = apiserver_flags
        self.folder = Path(tempfile.mkdtemp(prefix="grpcdns-cluster-"))
        self.etcd_address, self._etcd_peer = free_address(), free_address()
        self.address = free_address()
        self._authority = Authority(self.folder)
        self._admin = self._authority.issue("admin", groups=["system:masters"])
        self._signing_key = signing_key(self.folder / "service-accounts.key")
        self.ca = self._authority.cert
        self.api = Api(self.address, self.ca, client=self._admin)
        self.kubelet = Kubelet(self.api)
        self.admin_kubeconfig = write_kubeconfig(
            self.folder / "admin.kubeconfig", self.address, self.ca, client=self._admin
        )
        self.etcd = self._process("etcd", *self._etcd_flags())
        self.apiserver = self._process("kube-apiserver", *self._apiserver_flags())
        self.controllers = self._process("kube-controller-manager", *self._controllers_flags())

    def start(self) -> Self:
        """Starts all parts and waits for the namespaces that every cluster has."""
        self.start_etcd()
        self.start_apiserver()
        if self._with_controllers:
            self.start_controllers()
        return self

    def stop(self) -> None:
        """Kills all parts: none holds anything worth a graceful end."""
        for part in (self.controllers, self.apiserver, self.etcd):
            part.kill()
        self.api.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_etcd(self) -> None:
        self.etcd.start(lambda: _get_ok(f"http://{self.etcd_address}/health"))

    def start_apiserver(self) -> None:
        self.apiserver.start(self._api_is_ready, timeout=60)

    def start_controllers(self) -> None:
        """Up, and heard of by their first work: a ConfigMap with the CA in kube-system."""
        self.controllers.start(self._controllers_work, timeout=60)

    def install_service_imports(self, *versions: str) -> None:
        """The MCS API's ServiceImport (multicluster.x-k8s.io), served at once in these versions,
        v1alpha1 without any, and in no other."""
        versions = versions or ("v1alpha1",)
        self.api.apply(service_import_definition(*versions))
        wait_until(
            lambda: set(versions) == {v for v in ("v1alpha1", "v1beta1") if self._has_imports(v)},
            "ServiceImports served",
        )

    def _has_imports(self, version: str) -> bool:
        try:
            self.api.request("GET", f"/apis/multicluster.x-k8s.io/{version}/serviceimports")
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True

    def _end(self) -> None:
        self.stop()

    def _process(self, name: str, *flags: str) -> Process:
        return Process([binary(name), *flags], log=self.folder / f"{name}.log", cwd=self.folder)

    def _api_is_ready(self) -> bool:
        self.api.request("GET", "/readyz")
        names = {one["metadata"]["name"] for one in self.api.list("Namespace")}
        return {"default", "kube-system"} <= names

    def _controllers_work(self) -> bool:
        return bool(self.api.get("ServiceAccount", "default", "kube-system")) and bool(
            self.api.get("ConfigMap", "kube-root-ca.crt", "kube-system")
        )

    def _etcd_flags(self) -> list[str]:
        client, peer = f"http://{self.etcd_address}", f"http://{self._etcd_peer}"
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync=true",
            "--heartbeat-interval=20",
            "--election-timeout=200",
            "--log-level=warn",
        ]

    def _apiserver_flags(self) -> list[str]:
        hosts = [LOOPBACK, API_SERVICE_IP, "localhost", "kubernetes.default.svc"]
        server = self._authority.issue("kube-apiserver", hosts=hosts)
        return [
            f"--etcd-servers=http://{self.etcd_address}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={self.address.port}",
            # The endpoint of the Service `kubernetes`, which must not be a loopback address.
            "--advertise-address=192.0.2.1",
            f"--cert-dir={self.folder / 'apiserver'}",
            f"--tls-cert-file={server.cert}",
            f"--tls-private-key-file={server.key}",
            f"--client-ca-file={self.ca}",
            "--anonymous-auth=false",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={self._signing_key}",
            f"--service-account-signing-key-file={self._signing_key}",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            # Pods may then be created before the default ServiceAccount exists.
            "--disable-admission-plugins=ServiceAccount",
            "--enable-priority-and-fairness=false",
            "--profiling=false",
            *self._more_flags,
        ]

    def _controllers_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self.admin_kubeconfig}",
            f"--controllers={','.join(CONTROLLERS)}",
            f"--root-ca-file={self.ca}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=2000",
            "--kube-api-burst=4000",
            "--concurrent-service-endpoint-syncs=10",
            "--concurrent-endpoint-syncs=10",
            "--mirroring-concurrent-service-endpoint-syncs=10",
        ]


def _get_ok(url: str) -> bool:
    return urllib3.request("GET", url, timeout=1.0, retries=False).status == 200
