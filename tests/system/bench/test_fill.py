"""A filled cluster: to the API, objects written into etcd are like those that it has created."""

from __future__ import annotations

import pytest

from bench.cluster import Name, service_of
from bench.fill import fill
from harness.api import ApiError, Object
from harness.cluster import Cluster
from harness.objects import port, service
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

SIZE = 120
ADDRESSES = "networking.k8s.io/v1"
OTHERWISE = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster) -> Cluster:
    fill(own_cluster, SIZE)
    return own_cluster


def test_every_object_is_there_with_the_addresses_that_are_queried(cluster: Cluster) -> None:
    names = [Name(number) for number in range(SIZE)]
    found = [one for one in cluster.api.list("Service") if one["metadata"]["name"] != "kubernetes"]
    assert len({one["metadata"]["uid"] for one in found}) == SIZE
    assert {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]["clusterIP"]
        for one in found
    } == {
        (name.namespace, name.name): "None" if name.headless else name.cluster_ip for name in names
    }
    slices = cluster.api.list("EndpointSlice", version="discovery.k8s.io/v1")
    owners = {one["metadata"]["labels"].get("kubernetes.io/service-name") for one in slices}
    assert {name.name for name in names} <= owners
    assert {name.cluster_ip for name in names if not name.headless} <= {
        one["metadata"]["name"] for one in cluster.api.list("IPAddress", version=ADDRESSES)
    }


@pytest.mark.parametrize("number", [7, 10], ids=["with a cluster IP", "headless"])
def test_a_written_service_is_like_one_that_the_api_creates(cluster: Cluster, number: int) -> None:
    written, another = Name(number), Name(SIZE + number)
    got = cluster.api.get("Service", written.name, written.namespace)
    wanted = service_of(another)
    wanted["metadata"]["namespace"] = written.namespace
    created = cluster.api.create(wanted)
    assert _alike(got, written) == _alike(created, another)
    assert got["metadata"].keys() == created["metadata"].keys()
    if not written.headless:
        addresses = [
            cluster.api.get("IPAddress", name.cluster_ip, version=ADDRESSES)
            for name in (written, another)
        ]
        parents = [one["spec"].pop("parentRef") for one in addresses]
        assert _alike(addresses[0], written) == _alike(addresses[1], another)
        assert parents[0] == {**parents[1], "name": written.name}
    cluster.api.delete(created)


def _alike(made: Object, name: Name) -> Object:
    """Without the fields that differ between objects."""
    metadata = {key: value for key, value in made["metadata"].items() if key not in OTHERWISE}
    for entry in metadata.get("managedFields", ()):
        del entry["time"]
    own = () if name.headless else ("clusterIP", "clusterIPs")
    spec = {key: value for key, value in made["spec"].items() if key not in own}
    return {**made, "metadata": metadata, "spec": spec}


def test_a_written_cluster_ip_is_taken_until_its_service_goes(cluster: Cluster) -> None:
    name = Name(11)
    thief = service("thief", cluster_ips=[name.cluster_ip], ports=[port(80)])
    with pytest.raises(ApiError, match="already allocated"):
        cluster.api.create(thief)
    cluster.api.patch(service_of(name), {"metadata": {"labels": {"changed": "true"}}})
    got = cluster.api.get("Service", name.name, name.namespace)
    assert got["metadata"]["labels"] == {"changed": "true"}
    cluster.api.delete(service_of(name))
    wait_until(lambda: cluster.api.create(thief), "the address is free again")
