"""The Pod as the user of the image, not as root: sockets, snapshot, metrics, probes, commands."""

from __future__ import annotations

import json
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import dns.rcode
import pytest

from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.metrics import get, samples
from harness.ports import Address
from harness.waiting import wait_until
from tests.system.deploy.container import IMAGE_USER, Container, skip_unless_possible
from tests.system.deploy.kustomize import DEPLOY, built
from tests.system.deploy.pod import Pod
from tests.system.processes.log_lines import Line, parse

pytestmark = [pytest.mark.servers, pytest.mark.slow]

NAME: Final = "kube-dns.kube-system.svc.cluster.local"
SERVERS: Final = (
    "--server=unix:///run/grpcdns/0.sock",
    "--server=unix:///run/grpcdns/1.sock",
)


class Volume(NamedTuple):
    """Who owns the folder of the sockets, and its mode."""

    owner: int
    mode: int


EMPTY_DIR: Final = Volume(0, 0o777)
"""As the kubelet makes it, without fsGroup."""
IMAGE: Final = Volume(IMAGE_USER, 0o750)
"""As the Dockerfile and docker-compose.yml make it."""


class Site:
    """The folders behind a Pod's volumes, and what its containers read."""

    def __init__(self, folder: Path, kubeconfig: Path, sockets: Volume) -> None:
        self.folder = folder
        for name in ("run", "cache", "tmp", "coredns"):
            (folder / name).mkdir()
            (folder / name).chmod(0o777)
        (folder / "run").chmod(sockets.mode)
        shutil.chown(folder / "run", sockets.owner, sockets.owner)
        self.kubeconfig = folder / "kubeconfig"
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        shutil.copy(cluster["certificate-authority"], folder / "ca.crt")
        cluster["certificate-authority"] = str(folder / "ca.crt")
        self.kubeconfig.write_text(json.dumps(config))
        for path in (folder, self.kubeconfig, folder / "ca.crt"):
            path.chmod(0o755)

    def container(self, user: int = IMAGE_USER) -> Container:
        volumes = {
            "/tmp": self.folder / "tmp",
            "/run/grpcdns": self.folder / "run",
            "/var/cache/grpcdns": self.folder / "cache",
        }
        return Container(volumes, self.folder, user=user)

    def pod(self) -> Pod:
        return Pod(built(DEPLOY / "kubeadm"), self.kubeconfig, self.folder, self.container())


@pytest.fixture(params=[EMPTY_DIR, IMAGE], ids=["emptyDir", "image"])
def site(request: pytest.FixtureRequest, kubeconfig: Path) -> Iterator[Site]:
    skip_unless_possible()
    # Not below pytest's folder, which is root's alone.
    with tempfile.TemporaryDirectory(prefix="grpcdns-pod-") as folder:
        yield Site(Path(folder), kubeconfig, request.param)


def ownership(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_uid, stat.S_IMODE(found.st_mode)


def test_the_whole_pod(site: Site, upstream: CoreDNS) -> None:
    pod = site.pod()
    with pod.grpcdns:
        wait_until(pod.probe("startupProbe"), "the startup probe", timeout=60)
        assert pod.probe("readinessProbe")()
        assert pod.probe("livenessProbe")()
        assert everybody(pod.grpcdns.pid) == {IMAGE_USER}
        for socket in ("0.sock", "1.sock"):
            assert ownership(site.folder / "run" / socket) == (IMAGE_USER, 0o660)
        with pod.coredns(upstream.address) as coredns:
            assert everybody(coredns.process.pid) == {IMAGE_USER}
            assert section(ask(coredns.address, NAME))[0].endswith(" IN A 10.96.0.10")
            assert ask(coredns.address, "www.example.org").rcode() == dns.rcode.NOERROR
            metrics = Address("127.0.0.1", pod.metrics)
            ready = [v for k, v in samples(metrics).items() if k.startswith("grpcdns_ready{")]
            assert ready == [1, 1]
            assert get(metrics, "/readyz?all").status == 200
            for words in (("check", *SERVERS), ("query", NAME, SERVERS[0]),
                          ("explain", NAME, SERVERS[0])):  # fmt: skip
                run = pod.run(*words)
                assert run.returncode == 0, run.stdout + run.stderr
            snapshot = site.folder / "cache" / "snapshot"
            wait_until(snapshot.exists, "a snapshot", timeout=30)
            assert ownership(snapshot) == (IMAGE_USER, 0o600)
            assert worse_than_info(pod) == []
            # A container that is killed leaves its sockets and its folder in /tmp behind.
            pod.grpcdns.kill()
            pod.grpcdns.start(pod.probe("startupProbe"), timeout=60)
            wait_until(
                lambda: section(ask(coredns.address, f"{NAME[: -len('local')]}LOCAL")),
                "an answer after the restart",
                timeout=20,
            )
        assert coredns.process.wait() == 0
        assert pod.grpcdns.stop() == 0
    restored = worse_than_info(pod)
    assert restored
    assert all("snapshot" in line.message for line in restored), "they say how old the data is"


def worse_than_info(pod: Pod) -> list[Line]:
    """Warnings and errors of the log, which is JSON to its last line; without the one about the
    cluster's second family, which kubeadm's default does not have."""
    lines = parse(pod.grpcdns.log_text, "json")
    assert lines[0].message.startswith("grpcdns ")
    return [
        line
        for line in lines
        if line.level in ("warning", "error") and "ServiceCIDR fd00:" not in line.message
    ]


def everybody(parent: int) -> set[int]:
    """The users of a process and its children."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
        except OSError:  # it has just ended
            continue
        if str(parent) in (fields["Pid"], fields["PPid"]):
            found |= {int(number) for number in fields["Uid"].split()}
            assert int(fields["CapEff"], 16) == 0
    return found


def test_another_user_cannot_connect(site: Site) -> None:
    pod = site.pod()
    command = ["check", "--any", *SERVERS]
    with pod.grpcdns:
        wait_until(pod.probe("startupProbe"), "the startup probe", timeout=60)
        assert pod.run(*command).returncode == 0
        other = Pod(
            built(DEPLOY / "kubeadm"), site.kubeconfig, site.folder, site.container(IMAGE_USER + 1)
        )
        assert other.run(*command).returncode == 1


def test_a_folder_that_it_may_not_write_to_is_named(site: Site) -> None:
    shutil.chown(site.folder / "run", 0, 0)
    (site.folder / "run").chmod(0o755)
    pod = site.pod()
    pod.grpcdns.start()
    assert pod.grpcdns.wait(timeout=30) == 2
    said = [line.message for line in worse_than_info(pod) if line.level == "error"]
    for socket in ("0.sock", "1.sock"):
        assert any(
            f"/run/grpcdns/{socket}: user 65532 may not write to /run/grpcdns" in one
            for one in said
        ), said
