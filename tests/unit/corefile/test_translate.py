"""``corefile --from``: each line of a stock Corefile is kept, a flag, or not possible."""

from __future__ import annotations

import pytest

from grpcdns.config.options import BY_NAME
from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.flags import EXTERNAL as EXTERNAL_ROWS
from grpcdns.corefile.flags import KUBERNETES, Fate
from grpcdns.corefile.syntax import parse_corefile
from grpcdns.corefile.translate import Networks, Translation, Untranslatable, translate
from grpcdns.corefile.traps.trap import ERROR, Backend
from tests.unit.corefile.stock import EXTERNAL, K3S, KIND, KUBEADM, STOCK, STUB_DOMAINS

SOCKETS = ("unix:///run/grpcdns/0.sock", "unix:///run/grpcdns/1.sock")
NETWORKS = Networks(("10.96.0.0/12",), ("10.244.0.0/16",))


def translated(text: str, networks: Networks = NETWORKS) -> Translation:
    return translate(text, networks, SOCKETS)


def blocks(text: str) -> dict[str, list[str]]:
    """Keys, and the names of the directives."""
    return {
        " ".join(server.keys): [one.name for one in server.directives]
        for server in parse_corefile(text).servers
    }


def fates(made: Translation) -> dict[str, tuple[Fate, str]]:
    return {one.text: (one.fate, one.detail) for one in made.accounts}


def test_kubeadm() -> None:
    made = translated(KUBEADM)
    assert (
        made.text
        == """\
cluster.local:53 10.96.0.0/12:53 10.244.0.0/16:53 {
    errors
    grpc . unix:///run/grpcdns/0.sock unix:///run/grpcdns/1.sock {
        policy round_robin
    }
    prometheus :9153
    cache 30 {
        success 9984 30 0
        denial 9984 30 0
        servfail 0
    }
    loadbalance
}

.:53 {
    errors
    health {
        lameduck 5s
    }
    ready
    prometheus :9153
    forward . /etc/resolv.conf {
        max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
"""
    )
    assert made.flags == (
        *("--zones", "cluster.local,10.96.0.0/12,10.244.0.0/16"),
        *("--pods", "insecure", "--ttl", "30"),
    )
    assert {one.fate for one in made.accounts} == {Fate.KEPT, Fate.FLAG, Fate.CHANGED}
    assert not made.missing


def test_k3s() -> None:
    """Node names are in both blocks; imported files only in the one for the other names."""
    made = translated(K3S)
    ours, rest = blocks(made.text).values()
    assert ours == ["errors", "grpc", "hosts", "prometheus", "cache", "loadbalance"]
    assert "hosts" in rest
    assert "forward" in rest
    assert made.text.count("import /etc/coredns/custom/*.override") == 1
    assert made.text.endswith("}\nimport /etc/coredns/custom/*.server\n")
    fate, _ = fates(made)["import /etc/coredns/custom/*.override"]
    assert fate is Fate.CHANGED


def test_properties_of_other_plugins_stay() -> None:
    lines = "    cache 30 {\n        disable success cluster.local\n"
    assert translated(KIND).text.count(lines) == 2


def test_the_cache_with_grpc_is_sized() -> None:
    """The other block's is not; what changes is accounted for."""
    lines = "    cache 30 {\n       success 50000\n       serve_stale\n       prefetch 9\n    }\n"
    made = translate(KUBEADM.replace("    cache 30\n", lines), NETWORKS, SOCKETS, names=16000)
    ours, rest = made.text.split("\n.:53 {")
    assert (
        "        success 50000 30 0\n        denial 20224 30 0\n        serve_stale 1h verify\n"
        "        prefetch 9\n        servfail 0\n"
    ) in ours
    assert "    cache 30 {\n        success 50000\n        serve_stale\n" in rest
    said = [(one.fate, one.detail) for one in made.accounts if one.text == "cache 30"]
    changed = "in the block with grpc: success 50000 30 0, denial 20224 30 0, servfail 0"
    assert said == [(Fate.KEPT, "in both blocks"), (Fate.CHANGED, changed)]
    assert fates(made)["serve_stale"] == (
        Fate.CHANGED, "in the block with grpc: serve_stale 1h verify, which asks first",
    )  # fmt: skip


@pytest.mark.parametrize("text", STOCK.values(), ids=STOCK.keys())
def test_the_cache_of_the_result_has_no_finding(text: str) -> None:
    made = translate(text, NETWORKS, SOCKETS, names=16000)
    found = check_corefile(made.text, backend=Backend(16000, adaptive=True))
    assert not [one for one in found if one.trap.name.startswith("cache-")]


def test_stub_domains() -> None:
    """Other blocks stay to the letter; what falls through to forward is said to be lost."""
    made = translated(STUB_DOMAINS)
    assert made.text.startswith(STUB_DOMAINS.partition(".:53 {")[0])
    assert list(blocks(made.text)) == [
        "office.example.org:53", "cluster.local:53 10.0.0.0/20:53", ".:53",
    ]  # fmt: skip
    assert made.flags == (
        *("--zones", "cluster.local,10.0.0.0/20", "--namespaces", "default,kube-system"),
        *("--pods", "verified"),
    )
    said = fates(made)
    assert said["fallthrough"][0] is Fate.LOST
    assert said["autopath @kubernetes"][0] is Fate.LOST
    assert said["# Names of the cluster."][0] is Fate.CHANGED
    assert said["office.example.org:53"] == (Fate.KEPT, "the whole block")


def test_external_zones_snippets_and_options() -> None:
    made = translated(EXTERNAL)
    assert list(blocks(made.text)) == [
        "cluster.local clusterset.local", "10.96.0.0/12", "apps.example.org",
    ]  # fmt: skip
    assert made.flags == (
        *("--zones", "cluster.local,clusterset.local", "--external-zones", "apps.example.org"),
        *("--context", "admin", "--external-apex", "dns1", "--external-headless"),
        *("--external-ttl", "60", "--ignore-empty-service", "--kubeconfig", "/etc/kubeconfig"),
        *("--labels", "app in (a, b)", "--multicluster", "clusterset.local", "--no-endpoints"),
    )
    said = fates(made)
    assert said["endpoint https://192.0.2.6:6443"][0] is Fate.LOST
    assert said["transfer"][0] is Fate.LOST
    assert "(common) {" in made.text


@pytest.mark.parametrize("text", STOCK.values(), ids=STOCK.keys())
def test_every_line_is_accounted_for(text: str) -> None:
    made = translated(text)
    lines = {one.line for one in made.accounts}
    for server in parse_corefile(text).servers:
        if server.has("kubernetes"):
            for one in (*server.directives, *server.imports):
                assert one.line in lines, one
                properties = one.block if one.name in ("kubernetes", "k8s_external") else ()
                assert {prop.line for prop in properties} <= lines, one
        else:
            assert server.line in lines


@pytest.mark.parametrize("text", STOCK.values(), ids=STOCK.keys())
def test_the_check_finds_no_error_in_the_result(text: str) -> None:
    findings = check_corefile(translated(text).text)
    assert [one for one in findings if one.trap.level == ERROR] == []


def test_without_networks_reverse_names_are_missing() -> None:
    made = translated(KUBEADM, Networks())
    assert made.missing == ("the Service and Pod networks, for reverse names",)
    assert list(blocks(made.text)) == ["cluster.local:53", ".:53"]


ROWS = {
    "a zone that another block has stays there": (
        "10.96.0.0/12 {\n forward . 192.0.2.1\n}\n. {\n kubernetes cluster.local in-addr.arpa\n}",
        ["10.96.0.0/12", "cluster.local 10.244.0.0/16", "."],
    ),
    "schemes and ports": (
        "dns://.:53 tls://.:853 {\n kubernetes cluster.local\n}",
        ["dns://cluster.local:53 tls://cluster.local:853", "dns://.:53 tls://.:853"],
    ),
    "all reverse names without forward go to other blocks": (
        "cluster.local in-addr.arpa {\n kubernetes\n}\n. {\n forward . 192.0.2.1\n}",
        ["cluster.local 10.96.0.0/12 10.244.0.0/16", "."],
    ),
    "a block below the zone": (
        "svc.cluster.local {\n kubernetes cluster.local\n}", ["svc.cluster.local"],
    ),
    "a variable": ("a:053 b:53 {\n kubernetes {$ZONE}\n}", ["{$ZONE}:053", "a:053 b:53"]),
    "half of a network": (
        "10.0.0.0/7 {\n kubernetes a 10.0.0.0/8\n}", ["10.0.0.0/8", "11.in-addr.arpa"],
    ),
    "views": (
        "a {\n view v\n kubernetes a\n}\na {\n view w\n kubernetes a\n}", ["a", "a"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_keys(row: tuple[str, list[str]]) -> None:
    text, keys = row
    servers = parse_corefile(translated(text).text).servers
    assert [" ".join(server.keys) for server in servers] == keys


def test_one_grpcdns_has_one_value() -> None:
    text = "a {\n kubernetes a {\n  ttl 5\n }\n}\nb {\n kubernetes b {\n  ttl 9\n }\n}"
    said = fates(translated(text))
    assert said["ttl 5"] == (Fate.FLAG, "--ttl 5")
    assert said["ttl 9"] == (Fate.LOST, "grpcdns has one --ttl: 5, from line 3")


def test_reverse_names_without_fallthrough_change() -> None:
    made = translated(". {\n kubernetes a in-addr.arpa\n forward . 192.0.2.1\n}")
    assert [one.fate for one in made.accounts if one.line == 2] == [Fate.FLAG, Fate.CHANGED]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a {\n forward . 192.0.2.1\n}", "no server block has kubernetes"),
        ("a { kubernetes\n} b { whoami\n}", "on its own lines"),
    ],
)
def test_what_cannot_be_translated(text: str, why: str) -> None:
    with pytest.raises(Untranslatable, match=why):
        translated(text)


def test_words_are_quoted_as_they_must_be() -> None:
    text = 'a {\n kubernetes\n log . "{remote} \\"x\\"" {\n  class all\n }\n nsid ""\n}'
    (server,) = parse_corefile(translated(text).text).servers
    assert [one.args for one in server.directives[1:]] == [(".", '{remote} "x"'), ("",)]


@pytest.mark.parametrize("rows", [KUBERNETES, EXTERNAL_ROWS], ids=["kubernetes", "k8s_external"])
def test_every_flag_exists(rows: dict[str, object]) -> None:
    flags = [row.flag.removeprefix("--") for row in rows.values() if row.flag]  # type: ignore[attr-defined]
    assert set(flags) <= BY_NAME.keys()
