"""CoreDNS: its `kubernetes` plugin on the cluster, reloads, restarts, the plugins it has."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable

import dns.rcode
import pytest

from harness.build import binary
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.objects import port, service
from harness.process import ProcessError
from harness.waiting import wait_until

HOSTS = """
example.org {{
    hosts {{
        {address} name.example.org
    }}
}}
"""

KUBERNETES = """
cluster.local 10.96.0.0/16 {
    errors
    kubernetes {
        kubeconfig {$KUBECONFIG}
        pods verified
    }
}
. {
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.53"
    }
}
"""


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_kubernetes_plugin_answers(
    cluster: Cluster, namespace: str, coredns: Callable[..., CoreDNS], tcp: bool
) -> None:
    ip = cluster.api.create(service("web", namespace=namespace, ports=[port(80, "http")]))
    address = ip["spec"]["clusterIP"]
    kubeconfig = cluster.service_account_kubeconfig("coredns", namespace=namespace)
    server = coredns(KUBERNETES, env={"KUBECONFIG": str(kubeconfig)})
    qname = f"web.{namespace}.svc.cluster.local."

    def first() -> list[str]:
        return section(ask(server.address, qname, tcp=tcp))

    assert wait_until(first, "an answer") == [f"{qname} 5 IN A {address}"]
    outside = ask(server.address, "example.net", tcp=tcp)
    assert section(outside) == ["example.net. 60 IN A 192.0.2.53"]
    nothing = ask(server.address, f"no.{namespace}.svc.cluster.local.", tcp=tcp)
    assert nothing.rcode() == dns.rcode.NXDOMAIN


def test_reload_and_restart_keep_the_address(coredns: Callable[..., CoreDNS]) -> None:
    server = coredns(HOSTS.format(address="192.0.2.1"))
    server.reload(HOSTS.format(address="192.0.2.2"))
    assert section(ask(server.address, "name.example.org"))[0].endswith("192.0.2.2")
    server.write(HOSTS.format(address="192.0.2.3"))
    server.restart()
    assert section(ask(server.address, "name.example.org", edns=0))[0].endswith("192.0.2.3")
    server.kill()
    assert not server.process.running


def test_listens_on_loopback_only(coredns: Callable[..., CoreDNS]) -> None:
    server = coredns("(snippet) {\n errors\n}\n. {\n import snippet\n whoami\n}\n")
    assert (server.folder / "Corefile").read_text().count("bind 127.0.0.1") == 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", server.address.port))  # in use if it listened on all addresses


def test_a_broken_corefile_says_why(coredns: Callable[..., CoreDNS]) -> None:
    with pytest.raises(ProcessError, match="Unknown directive 'nonsense'"):
        coredns(". {\n nonsense\n}\n")


def test_has_the_plugins_that_corefiles_here_use(coredns: Callable[..., CoreDNS]) -> None:
    coredns(". {\n whoami\n}\n")  # skips when there is none
    listed = subprocess.run(
        [str(binary("coredns")), "-plugins"], capture_output=True, text=True, check=True
    ).stdout
    names = [line.split(".")[-1].strip() for line in listed.splitlines()]
    assert {"kubernetes", "forward", "grpc", "cache", "rewrite"} <= set(names)
