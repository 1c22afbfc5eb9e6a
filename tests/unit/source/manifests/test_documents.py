"""What is in a file: YAML and JSON, streams, Lists, and lines. Everything that kubectl reads is
compared with its reader in tests/differential/test_manifests.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grpcdns.source.kinds import Fields
from grpcdns.source.manifests.documents import plain, read_documents
from grpcdns.source.manifests.scalars import Scalar, resolve
from grpcdns.source.manifests.source import read_contents
from grpcdns.source.manifests.values import ManifestError
from tests.unit.source.manifests.followed import Followed, service

NAMED = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "NAME", "namespace": "ns"}}'


def named(*names: str) -> list[str]:
    return [NAMED.replace("NAME", name) for name in names]


STREAMS = {
    "one after another": ("".join(named("a", "b", "c")), "a b c"),
    "one a line": ("\n".join(named("a", "b", "c")) + "\n", "a b c"),
    "several lines each": (
        "\n".join(json.dumps(json.loads(one), indent=4) for one in named("a", "b")), "a b"),
    "with documents' lines": ("\n---\n".join(named("a", "b", "c")), "a b c"),
    "lists one after another": (
        "".join(f'{{"kind": "List", "apiVersion": "v1", "items": [{one}]}}\n'
                for one in named("a", "b")), "a b"),
    "then YAML": (f"{named('a')[0]}\n---\n{service('b')}", "a b"),
    "after YAML": (f"{service('b')}---\n{named('a')[0]}\n", "a b"),
    "with a mark": ("\ufeff" + "".join(named("a", "b")), "a b"),
    "what is no object between": ("".join([*named("a"), "[1]", '"x"', "7", "null", *named("b")]),
                                  "a b"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "names"), STREAMS.values(), ids=STREAMS.keys())
def test_json_streams(tmp_path: Path, text: str, names: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert Followed(tmp_path).start().names() == names


def test_a_mistake_in_a_stream_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("\n".join([*named("a", "b"), '{"kind": x}', *named("c")]))
    with pytest.raises(ManifestError) as error:
        list(read_documents(path.read_bytes(), lambda *_: None))
    assert error.value.line == 3


@pytest.mark.parametrize("text", [f"{service('a')}...\n{service('b')}",
                                  "---\n" + "\n".join(named("a", "b"))])  # fmt: skip
def test_what_follows_without_a_separator_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """kubectl drops it without a word."""
    (tmp_path / "a.yaml").write_text(text)
    assert Followed(tmp_path).start().names() == "a"
    assert "the text after this document, without a line `---`; left out" in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_encodings_with_a_mark(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    text = f"{mark}{service('a')}---\n{service('b')}".replace("\n", "\r\n")
    (tmp_path / "a.yaml").write_bytes(text.encode(encoding))
    assert Followed(tmp_path).start().names() == "a b"


LISTS = {
    "YAML": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n"
            "  - {apiVersion: v1, kind: Service, metadata: {name: a, namespace: ns}}\n"
            "- {apiVersion: v1, kind: Service, metadata: {name: b, namespace: ns}}\n",
    "JSON": f'{{"apiVersion": "v1", "kind": "List", "items": [{{"apiVersion": "v1", "kind": "List",'
            f' "items": [{named("a")[0]}]}}, {named("b")[0]}]}}',
    "a typed one in it": "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n"
                         "  kind: ServiceList\n  items:\n  - metadata: {name: a, namespace: ns}\n"
                         "  - metadata: {name: b, namespace: ns}\n",
    "kind before the items": "kind: ServiceList\napiVersion: v1\nitems:\n"
                             "- metadata: {name: a, namespace: ns}\n"
                             "- metadata: {name: b, namespace: ns}\n",
    "in flow": '{kind: ServiceList, apiVersion: v1, items: [{metadata: {name: a, namespace: ns}},'
               " {metadata: {name: b, namespace: ns}}]}\n",
    "with an anchor": "apiVersion: v1\nkind: List\nitems: &x\n"
                      "- {apiVersion: v1, kind: Service, metadata: {name: a, namespace: ns}}\n"
                      "- {apiVersion: v1, kind: Service, metadata: {name: b, namespace: ns}}\n",
}  # fmt: skip


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS.keys())
def test_lists(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    assert Followed(tmp_path).start().names() == "a b"


def test_lists_in_lists_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = '{"kind": "List", "items": [' * 12 + "]}" * 12
    (tmp_path / "a.json").write_text(f"{text}\n{named('a')[0]}")
    assert Followed(tmp_path).start().names() == "a"
    assert "more than 10 Lists inside each other" in caplog.text


PLACES = {
    "YAML": (f"{service('a')}---\n{service('b').replace('port: 80', 'port: x')}", 17),
    "after a mark": (f"---\n{service('a')}---\n\ufeff{service('b').replace('80', 'x')}", 18),
    "line ends of DOS": (
        f"{service('a')}---\n{service('b').replace('80', 'x')}".replace("\n", "\r\n"), 17),
    "beyond ASCII": (
        f"# é\n{service('a')}---\n# 日本\n{service('b').replace('80', 'x')}", 19),
    "an item": (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n"
        "  metadata: {name: é}\n- apiVersion: v1\n  kind: Service\n  metadata: {name: a}\n"
        "  spec:\n    clusterIP: 10.0.0.1\n    ports:\n    - port: 80\n    - port: x\n", 14),
    "an item of an item": (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items:\n"
        "  - apiVersion: v1\n    kind: Service\n    metadata: {name: a}\n    spec:\n"
        "      ports: x\n", 11),
    "JSON": ("\n".join([*named("a"), "", *named("b")]).replace('"b"', '\n"b", "labels": \n1'), 5),
    "an item of JSON": (
        '{"kind": "List", "apiVersion": "v1", "items": [\n' + ",\n".join(named("a", "b")).replace(
            '"b"', '\n"b", "labels": \n1') + "]}", 5),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line"), PLACES.values(), ids=PLACES.keys())
def test_lines(text: str, line: int) -> None:
    found = read_contents(text.encode(), Fields())
    (told,) = [one for one in found.mistakes.lines() if "expected" in one]
    assert told.startswith(f"line {line}: Service at ")


VALUES: dict[str, Scalar] = {
    "=": "=", "<<": "<<", "~": None, "": None, "yes": True, "off": False, "n": False, "Y": True,
    "22:30": "22:30", "52:54:00:12:34:56": "52:54:00:12:34:56", "1_000": 1000, "017": 15,
    "0o17": 15, "0x1F": 31, "0b11": 3, "08": 8.0, "1e3": 1000.0, "1e400": "1e400", "1.10": 1.1,
    "9223372036854775807": 9223372036854775807, "18446744073709551615": 18446744073709551615,
    "18446744073709551616": 18446744073709551616.0, "2026-01-01": "2026-01-01", "0x": "0x",
    "2001:10:20:30:40:50:1:2": "2001:10:20:30:40:50:1:2", "1.2.3": "1.2.3", "+1": 1, "-0b11": -3,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=VALUES.keys())
def test_scalars(text: str, value: Scalar) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("number", ["80.0", "8e1", "80"])
@pytest.mark.parametrize("style", ["YAML", "JSON"])
def test_an_integer_is_one_however_it_is_written(number: str, style: str) -> None:
    text = service("a").replace("80", number)
    if style == "JSON":
        ports = f'"ns"}}, "spec": {{"ports": [{{"port": {number}}}]}}'
        text = named("a")[0].replace('"ns"}', ports)
    (entry,) = read_contents(text.encode(), Fields()).entries
    assert entry.load().spec.ports[0].port == 80


@pytest.mark.parametrize("text", ["[" * 100_000, "{" * 100_000, "- " * 50_000, "a: &a [*a]",
                                  '{"a":' * 100_000, "? " * 50_000])  # fmt: skip
def test_what_nests_without_end_is_an_error(text: str) -> None:
    with pytest.raises(ManifestError):
        list(read_documents(text.encode(), lambda *_: None))


def test_aliases_are_shared_not_copied() -> None:
    text = "kind: A\na: &a [x, x, x, x, x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 8)}]\n" for name in "bc"
    )
    (document,) = read_documents(text.encode(), lambda *_: None)
    assert plain(document)["c"][0] is plain(document)["c"][7]
