"""The control plane: its controllers work, and RBAC is enforced."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.accounts import READ_DNS
from harness.api import Api, ApiError
from harness.cluster import Cluster
from harness.objects import endpoint_slice, endpoints, pod, port, service, service_import
from harness.waiting import wait_until

SLICE = "discovery.k8s.io/v1"


def addresses(cluster: Cluster, namespace: str, name: str) -> dict[str, bool]:
    """Address -> ready, over all EndpointSlices of a Service."""
    selector = f"kubernetes.io/service-name={name}"
    return {
        address: endpoint["conditions"].get("ready", True)
        for one in cluster.api.list("EndpointSlice", namespace, SLICE, labelSelector=selector)
        for endpoint in one["endpoints"] or ()
        for address in endpoint["addresses"]
    }


def wait_for(cluster: Cluster, namespace: str, name: str, wanted: dict[str, bool]) -> None:
    wait_until(
        lambda: addresses(cluster, namespace, name) == wanted,
        f"EndpointSlices of {name}: {wanted}",
    )


def test_starts_within_15_seconds(make_cluster: Callable[..., Cluster]) -> None:
    began = time.monotonic()
    cluster = make_cluster()
    assert time.monotonic() - began < 15
    names = {one["metadata"]["name"] for one in cluster.api.list("Namespace")}
    assert {"default", "kube-system"} <= names
    assert cluster.api.request("GET", "/version")["gitVersion"] == "v1.36.3"


def test_endpoint_slices_follow_pods(cluster: Cluster, namespace: str) -> None:
    labels = {"app": "web"}
    web = service(
        "web", namespace=namespace, selector=labels, ports=[port(80, "http")], headless=True
    )
    cluster.api.create(web)
    first = cluster.kubelet.run(pod("a", namespace=namespace, labels=labels), ["172.17.0.9"])
    second = cluster.kubelet.run(
        pod("b", namespace=namespace, labels=labels), ["172.17.0.10"], ready=False
    )
    wait_for(cluster, namespace, "web", {"172.17.0.9": True, "172.17.0.10": False})
    cluster.kubelet.set_ready(second, True)
    wait_for(cluster, namespace, "web", {"172.17.0.9": True, "172.17.0.10": True})
    cluster.kubelet.terminate(first)
    wait_for(cluster, namespace, "web", {"172.17.0.9": False, "172.17.0.10": True})
    cluster.kubelet.remove(first)
    wait_for(cluster, namespace, "web", {"172.17.0.10": True})
    cluster.kubelet.finish(second)
    wait_for(cluster, namespace, "web", {})
    cluster.api.delete(web)
    wait_until(
        lambda: not cluster.api.list("EndpointSlice", namespace, SLICE),
        "the slices gone with their Service",
    )


def test_a_pod_has_hostname_zone_and_both_families(cluster: Cluster, namespace: str) -> None:
    labels = {"app": "dual"}
    dual = service(
        "dual",
        namespace=namespace,
        selector=labels,
        ports=[port(80)],
        headless=True,
        ipFamilyPolicy="RequireDualStack",
    )
    cluster.api.create(dual)
    one = pod("one", namespace=namespace, labels=labels, hostname="myhost", subdomain="dual")
    cluster.kubelet.run(one, ["172.17.0.20", "fd00:17::20"])
    wait_for(cluster, namespace, "dual", {"172.17.0.20": True, "fd00:17::20": True})
    for made in cluster.api.list("EndpointSlice", namespace, SLICE):
        assert made["endpoints"][0]["hostname"] == "myhost"
        assert made["endpoints"][0]["zone"] == "zone-a"


def test_hand_written_endpoints_are_mirrored(cluster: Cluster, namespace: str) -> None:
    ports = [port(5432, "db")]
    cluster.api.create(service("db", namespace=namespace, ports=ports, headless=True))
    by_hand = [{"name": "db", "port": 5432}]
    cluster.api.create(endpoints("db", ["10.1.2.3", "10.1.2.4"], by_hand, namespace=namespace))
    wait_for(cluster, namespace, "db", {"10.1.2.3": True, "10.1.2.4": True})
    (made,) = cluster.api.list("EndpointSlice", namespace, SLICE)
    assert made["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == (
        "endpointslicemirroring-controller.k8s.io"
    )


def test_cluster_ips_of_both_families(cluster: Cluster, namespace: str) -> None:
    made = cluster.api.create(
        service(
            "both",
            namespace=namespace,
            cluster_ips=["10.96.77.1", "fd00:96::7701"],
            ports=[port(53, "dns", "UDP")],
            ipFamilyPolicy="RequireDualStack",
        )
    )
    assert made["spec"]["clusterIPs"] == ["10.96.77.1", "fd00:96::7701"]


def test_a_service_account_has_the_rights_in_its_rules_and_no_others(
    cluster: Cluster, namespace: str
) -> None:
    api = cluster.service_account_api("reader", READ_DNS, namespace=namespace)
    assert api.list("Service")
    assert api.list("EndpointSlice", version=SLICE) is not None
    with pytest.raises(ApiError, match=r"403 .*secrets is forbidden"):
        api.list("Secret")
    with pytest.raises(ApiError, match="403"):
        api.create(service("mine", namespace=namespace, ports=[port(80)]))
    with pytest.raises(ApiError, match="403"):
        api.get("Service", "kubernetes")
    api.close()


def test_requests_without_credentials_are_refused(cluster: Cluster) -> None:
    api = Api(cluster.address, cluster.ca)
    for path in ("/api/v1/services", "/version", "/readyz"):
        with pytest.raises(ApiError) as refused:
            api.request("GET", path)
        assert refused.value.code == 401
    api.close()


def test_in_cluster_files_hold_a_token_that_works(cluster: Cluster, namespace: str) -> None:
    made = cluster.in_cluster_files("inside", namespace=namespace)
    assert sorted(path.name for path in made.folder.iterdir()) == ["ca.crt", "namespace", "token"]
    assert (made.folder / "namespace").read_text() == namespace
    assert made.env == {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(cluster.address.port),
    }
    token = (made.folder / "token").read_text()
    api = Api(cluster.address, made.folder / "ca.crt", token=token)
    assert api.list("Service")
    api.close()


def test_service_imports_are_served(cluster: Cluster, namespace: str) -> None:
    cluster.install_service_imports()
    made = service_import("web", ["10.42.0.1"], [{"port": 80}], namespace=namespace)
    cluster.api.create(made)
    cluster.api.patch_status(made, {"clusters": [{"cluster": "east"}]})
    (read,) = cluster.api.list("ServiceImport", namespace, "multicluster.x-k8s.io/v1alpha1")
    assert read["spec"]["ips"] == ["10.42.0.1"]
    assert read["status"]["clusters"] == [{"cluster": "east"}]


def test_apply_creates_and_updates(cluster: Cluster, namespace: str) -> None:
    def labelled(value: str) -> dict[str, Any]:
        return service("one", namespace=namespace, ports=[port(80)], labels={"v": value})

    first = cluster.api.apply(labelled("1"))
    second = cluster.api.apply(labelled("2"))
    assert first["metadata"]["uid"] == second["metadata"]["uid"]
    assert second["metadata"]["labels"] == {"v": "2"}
    third = cluster.api.patch(second, {"metadata": {"labels": {"v": None}}})
    assert "labels" not in third["metadata"]


def test_many_objects_are_created_quickly(cluster: Cluster, namespace: str) -> None:
    ready = [{"addresses": ["10.9.0.1"], "conditions": {"ready": True}}]
    many = [
        endpoint_slice(f"s-{n}", "many", ready, [{"port": 80}], namespace=namespace)
        for n in range(1000)
    ]
    began = time.monotonic()
    cluster.api.create_all(many)
    assert time.monotonic() - began < 30
    assert len(cluster.api.list("EndpointSlice", namespace, SLICE)) == 1000


def test_the_api_comes_back_with_its_data(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(controllers=False)
    cluster.api.create(service("kept", ports=[port(80)]))
    cluster.apiserver.kill()
    with pytest.raises(Exception, match="refused"):
        cluster.api.list("Service")
    cluster.start_apiserver()
    assert cluster.api.get("Service", "kept")
    cluster.etcd.kill()
    cluster.start_etcd()
    wait_until(lambda: cluster.api.get("Service", "kept"), "the API after etcd came back")
