"""Manifests: what is read, what is made of it, what follows when files change."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from grpcdns.config.options import Config, UserError
from grpcdns.core.cluster.objects import EndpointSlice, Kind, Pod, Port, Service
from grpcdns.source.manifests.documents import read_documents
from grpcdns.source.manifests.source import Manifests
from grpcdns.source.manifests.values import ManifestError
from tests.unit.source.api.stage import RecordingSink
from tests.unit.source.manifests.followed import Followed, service

SERVED = service("served")
MISTAKEN = """\
apiVersion: v1
kind: Service
metadata: {name: x, namespace: ns}
spec: {clusterIP: nonsense}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(service("a"))
    return tmp_path


# Reading.


def test_what_kubectl_prints(tmp_path: Path) -> None:
    """A v1 List in YAML or JSON, many documents, typed lists, plain objects."""
    item = {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "ns"}, "spec": {}}

    def named(name: str, kind: str | None = "Service") -> dict[str, Any]:
        meta = {"name": name, "namespace": "ns"}
        return {**item, "metadata": meta, **({"kind": kind} if kind else {"kind": ""})}

    (tmp_path / "1.json").write_text(json.dumps({"kind": "List", "items": [named("a")]}))
    (tmp_path / "2.json").write_text(json.dumps(named("b")))
    (tmp_path / "3.json").write_text(json.dumps({"kind": "ServiceList", "items": [named("c", "")]}))
    (tmp_path / "4.yml").write_text(f"---\n{service('d')}---\n# nothing\n---\n{service('e')}...\n")
    (tmp_path / "5.yaml").write_text(json.dumps(named("f"), indent=2))
    (tmp_path / "6.yaml").write_text("kind: List\nitems: null\n")
    (tmp_path / "7.yaml").write_text("")
    (tmp_path / "8.yaml").write_text("\ufeff" + service("g"), "utf-8")
    (tmp_path / "notes.txt").write_text("{")
    (tmp_path / ".hidden.yaml").write_text("{")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "h.yaml").write_text(service("h"))
    assert Followed(tmp_path).start().names() == "a b c d e f g h"


def test_a_date_without_quotes_is_text(tmp_path: Path) -> None:
    text = service("a").replace("  name: a", "  name: a\n  creationTimestamp: 2026-01-01T00:00:00Z")
    (tmp_path / "a.yaml").write_text(text)
    assert Followed(tmp_path).start().names() == "a"


def test_other_kinds_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Deployment\nmetadata: {name: d}\nspec: 7\n")
    found = Followed(tmp_path).start()
    assert [len(found.objects(kind)) for kind in (Kind.NAMESPACE, Kind.SERVICE)] == [0, 0]
    assert found.sink.store.listed == {Kind.NAMESPACE, Kind.SERVICE, Kind.ENDPOINT_SLICE}


def test_the_apis_defaults(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "kind: Service\nmetadata: {name: a}\nspec: {clusterIP: None, ports: [{port: 80}]}\n---\n"
        "kind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: a}}\n"
        "addressType: IPv4\nendpoints: []\nports: [{port: 1}]\n"
    )
    found = Followed(tmp_path).start()
    port = (Port("", "TCP", 80),)
    assert found.objects(Kind.SERVICE) == [
        Service("default", "a", "ClusterIP", ("None",), "", port)
    ]
    (slice_,) = found.objects(Kind.ENDPOINT_SLICE)
    assert isinstance(slice_, EndpointSlice)
    assert slice_.ports == (Port("", "TCP", 1),)


def test_a_namespace_nobody_declared_is_there_all_the_same(folder: Path) -> None:
    (folder / "n.yaml").write_text("kind: Namespace\nmetadata: {name: declared}\n")
    assert Followed(folder).start().names(Kind.NAMESPACE) == "/declared /ns"


def test_but_not_where_namespaces_are_selected_by_label(folder: Path) -> None:
    (folder / "n.yaml").write_text("kind: Namespace\nmetadata: {name: b, labels: {dns: 'on'}}\n")
    found = Followed(folder, namespace_labels="dns=on").start()
    assert found.names(Kind.NAMESPACE) == "/b"


def test_labels_select(tmp_path: Path) -> None:
    labelled = service("a").replace("  name: a", "  name: a\n  labels: {dns: 'on'}")
    (tmp_path / "a.yaml").write_text(labelled + "---\n" + service("b"))
    assert Followed(tmp_path, labels="dns=on").start().names() == "a"


def test_of_two_the_later_wins(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(service("x"))
    (tmp_path / "b.yaml").write_text(service("x").replace("10.0.0.1", "10.0.0.2"))
    (found,) = Followed(tmp_path).start().objects(Kind.SERVICE)
    assert isinstance(found, Service)
    assert found.cluster_ips == ("10.0.0.2",)


def test_pods_are_read_as_from_the_api(tmp_path: Path) -> None:
    def pod(name: str, status: str, meta: str = "") -> str:
        return f"kind: Pod\nmetadata: {{name: {name}{meta}}}\nstatus: {status}\n---\n"

    (tmp_path / "a.yaml").write_text(
        pod("a", "{podIP: 1.2.3.4, phase: Running}")
        + pod("b", "{podIP: 1.2.3.5, phase: Succeeded}")
        + pod("c", "{podIP: 1.2.3.6}", ", deletionTimestamp: 2026-01-01T00:00:00Z")
    )
    found = Followed(tmp_path, pods="verified").start()
    assert found.objects(Kind.POD) == [Pod("default", "a", "1.2.3.4")]


# Mistakes at the start.


MISTAKES = {
    "YAML": ("kind: Service\n metadata: {}\n", 2, "not YAML: mapping values are not allowed"),
    "a tab": ("kind: Service\nspec:\n\t- a\n", 3, "not YAML"),
    "JSON": ('{"kind": "Service",\n"metadata": ]}', 2, "not YAML"),
    "an unknown alias": ("kind: *x\n", 1, "the anchor `x` is not defined"),
    "a control character": ("kind: Service\n# \x07\n", 2, "not YAML"),
    "a tag": ("kind: !!int x\n", 1, "`x` is not int"),
    "no object": ("a: 1\n---\n- kind\n", 1, "no kind"),
    "a list": ("- kind: Service\n", 1, "not a Kubernetes object"),
    "a kind that is none": ("kind: [Service]\n", 1, "no kind"),
    "an item that is no object": (
        "kind: List\nitems:\n- 7\n", 3, "an item of this List is not an object"),
    "an item without kind": ("kind: List\nitems:\n- a: 1\n", 3, "an item of this List has no kind"),
    "no name": ("# one\nkind: Service\nmetadata: {}\n", 2, "this Service has no metadata.name"),
    "a wrong type in JSON": (
        '{"kind": "Service",\n "metadata": {"name": "a"},\n "spec":\n  7}', 4, "Service at spec"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "why"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_by_file_and_line(
    tmp_path: Path, text: str, line: int, why: str
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        Followed(tmp_path).start()
    assert f"--manifests: {path}: line {line}: " in str(error.value)
    assert why in str(error.value)
    assert "\n" not in str(error.value)


SKIPPED = {
    "a wrong type": (
        service("a") + "---\n" + service("b").replace("port: 80", 'port: "80"'),
        17, "Service at spec.ports[0].port: expected `int | null`, got `str`"),
    "a wrong type in a List": (
        "kind: List\napiVersion: v1\nitems:\n- kind: Namespace\n  apiVersion: v1\n"
        "  metadata: {name: a}\n- kind: Service\n  metadata:\n    name: a\n    labels:\n"
        "      b: true\n",
        11, "Service at metadata.labels[...]: expected `str | null`, got `bool`"),
    "no name": ("kind: Service\nmetadata: {}\n", 1, "this Service has no metadata.name"),
    "no object": ("a: 1\n", 1, "not a Kubernetes object: no kind"),
    "a list": ("- kind: Service\n", 1, "not a Kubernetes object"),
    "an item that is no object": (
        "kind: List\nitems:\n- 7\n", 3, "an item of this List is not an object"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "why"), SKIPPED.values(), ids=SKIPPED.keys())
def test_a_broken_object_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: int, why: str
) -> None:
    for where in ("before", "after"):
        parts = [text, SERVED] if where == "before" else [SERVED, text]
        path = tmp_path / "some.yaml"
        path.write_text("---\n".join(parts))
        found = Followed(path).start()
        assert "served" in found.names()
        first = line if where == "before" else line + SERVED.count("\n") + 1
        (told,) = [one for one in caplog.messages if why in one]
        assert f"{path}: line {first}: " in told
        assert "left out" in told
        with pytest.raises(UserError, match=re.escape(f"--strict: {path}: line {first}: ")):
            Followed(path, strict=True).start()
        caplog.clear()


def test_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"kind: Service\n" + gzip.compress(b"x"))
    with pytest.raises(UserError, match="line 2: not UTF-8"):
        Followed(path).start()


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    with pytest.raises(ManifestError):
        list(read_documents(b"[" * 100_000, lambda *_: None))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file or directory"):
        Followed(tmp_path / "none.yaml").start()


# Following.


def test_changes_are_followed(folder: Path) -> None:
    found = Followed(folder).start()
    assert not found.poll()
    (folder / "b.yaml").write_text(service("b"))
    assert found.poll()
    assert found.names() == "a b"
    (folder / "a.yaml").write_text(service("c") + "# longer\n")
    assert found.poll()
    assert found.names() == "b c"
    (folder / "b.yaml").unlink()
    assert found.poll()
    assert found.names() == "c"


def test_a_file_being_written_is_not_taken_for_a_shorter_one(folder: Path) -> None:
    found = Followed(folder).start()
    path = folder / "b.yaml"
    path.write_text(service("b"))
    assert not found.poll(1)
    path.write_text(service("b") + "---\n" + service("c"))
    assert not found.poll(1)
    assert found.poll(1)
    assert found.names() == "a b c"
    assert found.sink.calls.count("replace a b") == 0


def test_a_file_replaced_by_rename(folder: Path) -> None:
    found = Followed(folder).start()
    new = folder / ".a.yaml.new"
    new.write_text(service("z"))
    stamp = (folder / "a.yaml").stat()
    os.utime(new, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    new.rename(folder / "a.yaml")
    assert found.poll()
    assert found.names() == "z"


def test_a_config_map_that_is_swapped(tmp_path: Path) -> None:
    """The kubelet's way: ..data is a link that is renamed, the files are links through it."""
    for name in ("..one", "..two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(service(name.strip(".")))
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    found = Followed(tmp_path).start()
    assert found.names() == "one"
    (tmp_path / "..new").symlink_to("..two")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert found.poll()
    assert found.names() == "two"


def test_a_file_that_breaks_keeps_its_last_good_state(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (folder / "b.yaml").write_text(service("b"))
    found = Followed(folder).start()
    (folder / "a.yaml").write_text("kind: [\n")
    (folder / "b.yaml").write_text(service("b2"))
    found.poll(5)
    assert found.names() == "a b2"
    assert caplog.text.count("its last good state is kept") == 1
    assert f"{folder / 'a.yaml'}: line 2: not YAML" in caplog.text
    assert len(found.sink.noted("manifest_error")) == 1
    (folder / "a.yaml").write_text(service("a3"))
    found.poll()
    assert found.names() == "a3 b2"
    assert f"{folder / 'a.yaml'}: read again" in caplog.text


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("text", ["kind: [\n", MISTAKEN])
def test_a_file_that_is_right_again_is_logged_once(
    folder: Path, caplog: pytest.LogCaptureFixture, text: str, strict: bool
) -> None:
    caplog.set_level("INFO")
    found = Followed(folder, strict=strict).start()
    for content in (text, service("x"), service("z")):
        (folder / "b.yaml").write_text(content)
        found.poll(5)
    assert found.names() == "a z"
    again = f"manifests: {folder / 'b.yaml'}: read again, nothing wrong with it now"
    assert caplog.messages.count(again) == 1
    assert caplog.messages[-1] == again


@pytest.mark.parametrize("text", ["kind: [\n", MISTAKEN])
def test_a_file_that_was_wrong_at_the_start_is_right(
    folder: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    caplog.set_level("INFO")
    (folder / "b.yaml").write_text(text)
    found = Followed(folder).start()
    (folder / "b.yaml").write_text(service("z"))
    found.poll()
    assert f"{folder / 'b.yaml'}: read again" in caplog.messages[-1]


@pytest.mark.parametrize("text", ["kind: [\n", MISTAKEN])
def test_a_file_that_is_wrong_and_goes_away_is_logged(
    folder: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """Of one that was right its objects are gone, and nothing is said."""
    caplog.set_level("INFO")
    (folder / "b.yaml").write_text(text)
    found = Followed(folder).start()
    (folder / "b.yaml").unlink()
    (folder / "a.yaml").unlink()
    found.poll()
    assert caplog.messages[-1] == f"manifests: {folder / 'b.yaml'}: no longer there"
    assert f"{folder / 'a.yaml'}" not in caplog.text


def test_what_could_not_be_read_is_read_again(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Links that lead to themselves, which not even root can read: a file, and later a folder."""
    caplog.set_level("INFO")
    file, inner = folder / "b.yaml", folder / "inner"
    file.symlink_to(file)
    inner.mkdir()
    found = Followed(folder, inner).start()
    inner.rmdir()
    inner.symlink_to(inner)
    found.poll(5)
    for path in (file, inner):
        assert len([line for line in caplog.messages if f"{path}: " in line]) == 1
        path.unlink()
    file.write_text(service("b"))
    inner.mkdir()
    found.poll(5)
    for path in (file, inner):
        assert f"manifests: {path}: read again, nothing wrong with it now" in caplog.messages


def test_a_named_file_that_goes_away_keeps_its_last_good_state(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An editor's way of saving; in a folder, a file that is gone is gone."""
    path = folder / "a.yaml"
    found = Followed(path).start()
    path.unlink()
    found.poll(5)
    assert found.names() == "a"
    assert caplog.text.count("No such file") == 1
    path.write_text(service("back"))
    found.poll(3)
    assert found.names() == "back"


def test_a_folder_that_goes_away_keeps_its_last_good_state(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "b.yaml").write_text(service("b"))
    found = Followed(inner).start()
    inner.rename(folder / "elsewhere")
    found.poll(5)
    assert found.names() == "b"


def test_new_options_read_what_was_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "kind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: a}}\n"
        "endpoints: [{addresses: [10.0.0.1], targetRef: {name: pod-1}}]\n"
    )
    found = Followed(tmp_path).start()
    (before,) = found.objects(Kind.ENDPOINT_SLICE)
    found.manifests.set_policy(Config(endpoint_pod_names=True).policy())
    assert found.poll(1)
    (after,) = found.objects(Kind.ENDPOINT_SLICE)
    assert isinstance(before, EndpointSlice)
    assert isinstance(after, EndpointSlice)
    assert (before.endpoints[0].pod, after.endpoints[0].pod) == ("", "pod-1")


def test_other_new_options_do_not_read_the_files_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(service("a"))
    found = Followed(tmp_path).start()
    monkeypatch.setattr("grpcdns.source.manifests.source.read_bytes", None)
    found.manifests.set_policy(Config(ttl=30).policy())
    assert found.poll(1)
    assert found.names() == "a"


def test_start_and_stop(folder: Path) -> None:
    sink = RecordingSink()
    manifests = Manifests(Config(manifests=(str(folder),)))
    manifests.start(sink)
    manifests.stop()
    assert sink.names() == "a"
