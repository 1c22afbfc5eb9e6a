"""Group and kind decide; what cannot be meant is named by file and line; --strict refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from grpcdns.config.options import UserError
from grpcdns.core.cluster.objects import Kind, Service, ServiceImport
from tests.unit.source.manifests.followed import Followed, service

CORE = (
    "apiVersion: v1\nkind: Service\nmetadata: {name: hello, namespace: ns}\n"
    "spec: {type: ExternalName, externalName: gateway.example}\n"
)
FOREIGN = {
    "Knative": "apiVersion: serving.knative.dev/v1\nkind: Service\n"
               "metadata: {name: hello, namespace: ns}\nspec: {template: {}}\n",
    "an ECS controller": "apiVersion: ecs.services.k8s.aws/v1alpha1\nkind: Service\n"
                         "metadata: {name: hello, namespace: ns}\nspec: {type: {a: 1}}\n",
    "Traefik": "apiVersion: traefik.io/v1alpha1\nkind: Service\n"
               "metadata: {name: hello, namespace: ns}\n",
    "a Namespace": "apiVersion: rbac.example.com/v1\nkind: Namespace\nmetadata: {name: other}\n",
    "Endpoints": "apiVersion: submariner.io/v1\nkind: Endpoints\n"
                 "metadata: {name: hello, namespace: ns}\nsubsets: 7\n",
    "a Pod": "apiVersion: metrics.example.com/v1\nkind: Pod\nmetadata: {name: p}\nstatus: x\n",
    "slices": "apiVersion: discovery.example.com/v1\nkind: EndpointSlice\nmetadata: {name: s}\n"
              "endpoints: {}\n",
    "ServiceImports of GKE": "apiVersion: net.gke.io/v1\nkind: ServiceImport\n"
                             "metadata: {name: hello, namespace: ns}\nspec: {type: ClusterSetIP}\n",
}  # fmt: skip


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("style", ["before", "after", "in a List", "in a typed List"])
def test_kinds_of_other_groups_are_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, style: str
) -> None:
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    item = f"-{indented[1:]}"
    first, kind = text.splitlines()[:2]
    untyped = "".join(f"  {line}\n" for line in text.splitlines()[2:])
    whole = {
        "before": f"{text}---\n{CORE}",
        "after": f"{CORE}---\n{text}",
        "in a List": f"{CORE}---\napiVersion: v1\nkind: List\nitems:\n{item}",
        "in a typed List": f"{first}\n{kind}List\nitems:\n-{untyped[1:]}---\n{CORE}",
    }[style]
    (tmp_path / "a.yaml").write_text(whole)
    found = Followed(tmp_path, strict=True, multicluster=("clusterset.local.",),
                     zones=("clusterset.local.",), pods="verified").start()  # fmt: skip
    (only,) = found.objects(Kind.SERVICE)
    assert isinstance(only, Service)
    assert only.external_name == "gateway.example"
    assert found.names(Kind.NAMESPACE) == "/ns"
    assert not found.names(Kind.POD)
    assert not found.objects(Kind.SERVICE_IMPORT)
    assert caplog.messages == []


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_service_imports_of_both_versions(tmp_path: Path, version: str) -> None:
    (tmp_path / "a.yaml").write_text(
        f"apiVersion: multicluster.x-k8s.io/{version}\nkind: ServiceImport\n"
        "metadata: {name: web, namespace: ns}\nspec: {type: ClusterSetIP, ips: [10.9.0.1]}\n"
    )
    found = Followed(tmp_path, multicluster=("clusterset.local.",),
                     zones=("clusterset.local.",)).start()  # fmt: skip
    (one,) = found.objects(Kind.SERVICE_IMPORT)
    assert isinstance(one, ServiceImport)
    assert one.ips == ("10.9.0.1",)


def _slice(rest: str) -> str:
    return (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: s\n"
        f"  labels: {{kubernetes.io/service-name: a}}\n{rest}"
    )


LEFT_OUT = {
    "a kind with a typing error": (
        "apiVersion: v1\nkind: Servce\nmetadata: {name: a}\n", 2, "did you mean Service?"),
    "a kind in lower case": (
        "apiVersion: v1\nkind: service\nmetadata: {name: a}\n", 2, "did you mean Service?"),
    "a plural": ("apiVersion: v1\nkind: Endpoint\n", 2, "did you mean Endpoints?"),
    "a slice with a typing error": (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlices\n", 2,
        "did you mean EndpointSlice?"),
    "v1beta1 of a slice": (
        "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\n", 2,
        "did you mean discovery.k8s.io/v1?"),
    "a slice in v1": ("apiVersion: v1\nkind: EndpointSlice\n", 2,
                      "did you mean discovery.k8s.io/v1?"),
    "a group with a typing error": (
        "apiVersion: dicovery.k8s.io/v1\nkind: EndpointSlice\n", 2,
        "did you mean discovery.k8s.io/v1?"),
    "a Service in apps": ("apiVersion: apps/v1\nkind: Service\n", 2, "did you mean v1?"),
    "a version that is not there": ("apiVersion: v2\nkind: Service\n", 2, "did you mean v1?"),
}  # fmt: skip
DOUBTS = {
    "a bad clusterIP": (
        service("a").replace("10.0.0.1", "10.0.0.256"), 7, "is not a valid clusterIP"),
    "none": (service("a").replace("10.0.0.1", "none"), 7, "did you mean None?"),
    "no clusterIP": (service("a").replace("  clusterIP: 10.0.0.1\n", ""), 7, "no clusterIP"),
    "no spec": ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n", 1, "no clusterIP"),
    "a field": (service("a") + "  externalIps: [192.0.2.1]\n", 9, "did you mean externalIPs?"),
    "a field of a list": (
        service("a").replace("name: http", "Name: http"), 8, "did you mean name?"),
    "a type": (service("a") + "  type: Loadbalancer\n", 9, "did you mean LoadBalancer?"),
    "no externalName": (
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  type: ExternalName\n", 5,
        "without externalName"),
    "an external IP": (service("a") + "  externalIPs: [a]\n", 9, "`a` is not a valid external IP"),
    "a port": (service("a").replace("port: 80", "port: 80000"), 8, "80000 is not a port"),
    "a protocol": (
        service("a").replace("port: 80", "port: 80, protocol: tcp"), 8, "did you mean TCP?"),
    "a name": (service("A_b"), 4, "`A_b` is not a valid name"),
    "a name with dots": (service("a.b"), 4, "`a.b` is not a valid Service name"),
    "a namespace": (service("a").replace(": ns", ": My.NS"), 5, "not a valid namespace name"),
    "no apiVersion": (service("a").replace("apiVersion: v1\n", ""), 1, "has no apiVersion"),
    "an address in a slice": (
        _slice("addressType: IPv4\nendpoints:\n- addresses: [10.0.0]\n"), 8,
        "`10.0.0` is not a valid IPv4 address"),
    "an address of the other family": (
        _slice("addressType: IPv6\nendpoints:\n- addresses: [10.0.0.1]\n"), 8,
        "is not a valid IPv6 address"),
    "a hostname": (
        _slice("addressType: IPv4\nendpoints:\n- addresses: [10.0.0.1]\n  hostname: a.b\n"), 9,
        "`a.b` is not a valid hostname"),
    "an address type": (_slice("addressType: ipv4\n"), 6, "did you mean IPv4?"),
    "a slice of no Service": (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\n"
        "addressType: IPv4\n", 3, "without the label"),
    "an address in Endpoints": (
        "apiVersion: v1\nkind: Endpoints\nmetadata: {name: a}\nsubsets:\n- addresses:\n"
        "  - ip: 10.0.0.1x\n", 6, "`10.0.0.1x` is not a valid address"),
    "an address of a Pod": (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nstatus:\n  podIP: x\n", 5,
        "`x` is not a valid address"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "why"), LEFT_OUT.values(), ids=LEFT_OUT.keys())
def test_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: int, why: str
) -> None:
    found = check(tmp_path, caplog, text, line, why)
    assert found.names() == "served"
    assert found.names(Kind.ENDPOINT_SLICE) == ""


@pytest.mark.parametrize(("text", "line", "why"), DOUBTS.values(), ids=DOUBTS.keys())
def test_doubts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: int, why: str
) -> None:
    found = check(tmp_path, caplog, text, line, why)
    if "kind: Service" in text:
        assert len(found.objects(Kind.SERVICE)) == 2, "it is served as it is"


def check(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: int, why: str
) -> Followed:
    """One line in the log, with file and line; refused by --strict."""
    path = tmp_path / "a.yaml"
    path.write_text(f"{text}---\n{service('served')}")
    found = Followed(tmp_path).start()
    (told,) = caplog.messages
    assert f"{path}: line {line}: " in told
    assert why in told
    with pytest.raises(UserError, match=f"--strict: {path}: line {line}: "):
        Followed(tmp_path, strict=True).start()
    return found


NOTHING = {
    "an empty folder": ({}, {}, "no file ends in .yaml, .yml, .json"),
    "files of other names": ({"a.txt": "x"}, {}, "no file ends in"),
    "empty files": ({"a.yaml": "# nothing\n"}, {}, "no objects in the files"),
    "other kinds": ({"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"}, {},
                    "1 objects, none of a kind that DNS reads"),
    "a namespace that is not there": (
        {"a.yaml": service("a").replace(": ns", ": prod")}, {"namespaces": ("prdo", "prod")},
        "there is no namespace prdo: did you mean prod?"),
    "labels that nothing has": ({"a.yaml": service("a")}, {"labels": "dns=on"}, "no Service has"),
    "namespaces' labels that nothing has": (
        {"a.yaml": service("a")}, {"namespace_labels": "dns=on"}, "no namespace has"),
}  # fmt: skip


@pytest.mark.parametrize(("texts", "options", "why"), NOTHING.values(), ids=NOTHING.keys())
def test_nothing_to_serve(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, texts: dict[str, str],
    options: dict[str, object], why: str,
) -> None:  # fmt: skip
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    Followed(tmp_path, **options).start()
    (told,) = caplog.messages
    assert why in told
    with pytest.raises(UserError, match="--strict: "):
        Followed(tmp_path, strict=True, **options).start()


def test_many_mistakes_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = "---\n".join(service(f"a{n}").replace("10.0.0.1", "x") for n in range(100))
    (tmp_path / "a.yaml").write_text(bad)
    Followed(tmp_path).start()
    assert len(caplog.messages) == 21
    assert "80 more" in caplog.messages[-1]


def test_an_object_that_breaks_keeps_its_last_good_state(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"{service('a')}---\n{service('b')}")
    found = Followed(path).start()
    path.write_text(f"{service('a').replace('port: 80', 'port: eighty')}---\n{service('c')}")
    assert found.poll()
    assert found.names() == "a c"
    path.write_text(service("c"))
    assert found.poll()
    assert found.names() == "c"


def test_strict_keeps_the_last_good_state_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(service("a"))
    found = Followed(path, strict=True).start()
    path.write_text(f"{service('b')}---\nkind: Servce\napiVersion: v1\n")
    assert not found.poll()
    assert found.names() == "a"
