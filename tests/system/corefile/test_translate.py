"""``corefile --from`` on stock Corefiles: a real CoreDNS starts with each result, and answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from grpcdns.corefile.translate import Networks, translate
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.fixtures import skip_unless_built
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES
from harness.ports import free_address
from tests.differential.judge import judge
from tests.unit.corefile.stock import K3S, KUBEADM, STOCK

SOCKETS = ("unix:///run/grpcdns/0.sock", "unix:///run/grpcdns/1.sock")
NETWORKS = Networks(("10.96.0.0/12",), ("172.17.0.0/16",))


@pytest.mark.servers
def test_coredns_starts_with_each_result(tmp_path: Path) -> None:
    skip_unless_built("coredns")
    texts = [translate(text, NETWORKS, SOCKETS).text for text in STOCK.values()]
    for text, answer in zip(texts, judge(texts, {}, tmp_path), strict=True):
        assert answer.starts, f"{answer.why}\n{text}"


@pytest.mark.parametrize("text", [KUBEADM, K3S], ids=["kubeadm", "k3s"])
def test_the_pair_answers(text: str, coredns: Callable[..., CoreDNS]) -> None:
    """With the flags that the translation names: Pods' names, the TTL, reverse names."""
    made = translate(text, NETWORKS, ("<0>", "<1>"))
    with Grpcdns("--manifests", EXAMPLES, "--upstream", "none", *made.flags) as ours:
        zero, one = ours.listen
        upstream = coredns('. {\n template IN PTR {\n  answer "{{ .Name }} 5 IN PTR other."\n }\n}')
        running = made.text.replace("<0>", zero).replace("<1>", one)
        for old, new in (
            (":53", ""),
            ("/etc/resolv.conf", str(upstream.address)),
            ("health", f"health {free_address()}"),
            ("ready\n", f"ready {free_address()}\n"),
            ("prometheus :9153", f"prometheus {free_address()}"),
            ("lameduck 5s", "lameduck 0s"),
            ("    loop\n", ""),
        ):
            running = running.replace(old, new)
        front = coredns(running)
        pod = section(ask(front.address, "10-244-0-5.default.pod.cluster.local"))
        ttl = 30 if "ttl 30" in text else 5
        assert pod == [f"10-244-0-5.default.pod.cluster.local. {ttl} IN A 10.244.0.5"]
        assert section(ask(front.address, "7.7.96.10.in-addr.arpa", "PTR"))[0].endswith(
            "PTR web.default.svc.cluster.local."
        )
        outside = section(ask(front.address, "1.2.0.192.in-addr.arpa", "PTR"))
        assert outside[0].endswith("PTR other.")
