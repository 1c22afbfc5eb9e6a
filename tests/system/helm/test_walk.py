"""From nothing to a green `helm test` by the commands of README.md, typed into a fresh clone, with
the time that each took: ``make walk``.

The API and helm are real. `docker build` is the Dockerfile's steps in clean roots, and `kind load`
takes what they made. The test is the kubelet: the Pod's containers run from that image, as the
user, on the read-only root and with the volumes and the account that the Deployment names. CoreDNS
is the tests' own.
"""

from __future__ import annotations

import shlex
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from harness.build import binary
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.waiting import wait_until
from tests.system.deploy import dockerfile
from tests.system.deploy.container import IMAGE_USER, Container
from tests.system.deploy.pod import Pod
from tests.system.deploy.test_non_root import everybody, ownership
from tests.system.helm.conftest import NAMESPACE, Site
from tests.system.helm.kubelet import Kubelet
from tests.terminal import Terminal, blocks, clone

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(1800)]

NAME: Final = "kube-dns.kube-system.svc.cluster.local"
ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


class Node:
    """Where images are built and loaded, and the Deployment's Pod runs."""

    def __init__(self, site: Site, checkout: Path, folder: Path) -> None:
        self._site, self._checkout, self._folder = site, checkout, folder
        self._built: dict[str, dockerfile.Stage] = {}
        self._loaded: dict[str, dockerfile.Stage] = {}
        for name in ("image", "run", "cache", "tmp", "coredns"):
            (folder / name).mkdir()
        for name in ("run", "cache", "tmp", "coredns"):  # an emptyDir is everybody's
            (folder / name).chmod(0o777)

    def docker_build(self, *words: str) -> None:
        """`docker build -t NAME .`"""
        _, name, where = words
        text = (self._checkout / "Dockerfile").read_text()
        context = self._checkout / where
        self._built[name] = dockerfile.build(
            text, self._folder / "image", {"REVISION": ""}, context
        )

    def kind_load(self, *words: str) -> None:
        """`kind load docker-image NAME`"""
        _, name = words
        self._loaded[name] = self._built[name]

    def pod(self) -> Pod:
        """That of the Deployment in the API."""
        deployment = self._site.api.get("Deployment", "grpcdns", NAMESPACE, "apps/v1")
        spec = deployment["spec"]["template"]["spec"]
        config = self._site.api.get("ConfigMap", "grpcdns", NAMESPACE)
        (grpcdns,) = spec["initContainers"]
        (coredns,) = spec["containers"]
        sockets = {"/run/grpcdns": self._folder / "run"}
        rights = coredns["securityContext"]
        beside = Container(sockets, self._folder / "coredns", user=rights["runAsUser"])
        return Pod(
            [deployment, config],
            None,
            self._folder,
            beside,
            self.command(grpcdns, spec["serviceAccountName"]),
        )

    def command(self, container: dict[str, Any], account: str = "") -> list[str]:
        """Before a container's arguments: its image's entry point, with what it is given."""
        image = self._loaded[container["image"]]
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"]
        image.user = f"{rights['runAsUser']}:{rights['runAsGroup']}"
        given = {
            "/run/grpcdns": self._folder / "run",
            "/var/cache/grpcdns": self._folder / "cache",
            "/tmp": self._folder / "tmp",
        }
        volumes = {
            one["mountPath"]: given[one["mountPath"]] for one in container.get("volumeMounts", ())
        }
        env: dict[str, str] = {}
        if account:
            files = self._site.cluster.in_cluster_files_of(account, namespace=NAMESPACE)
            # Readable for the user of the containers alone, as the kubelet makes it.
            (files.folder / "token").chmod(0o600)
            shutil.chown(files.folder / "token", rights["runAsUser"], rights["runAsGroup"])
            volumes[ACCOUNT] = files.folder
            env = dict(files.env)
        variables = [f"{name}={value}" for name, value in env.items()]
        return [*image.prefix(read_only=True, volumes=volumes), *variables, *image.entrypoint]


class Watch:
    """What each step took."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, float]] = []

    def time(self, step: str, do: Callable[[], object]) -> None:
        began = time.monotonic()
        do()
        self.steps.append((step, time.monotonic() - began))

    def __str__(self) -> str:
        rows = [*self.steps, ("together", sum(seconds for _, seconds in self.steps))]
        return "\n".join(f"{seconds:7.1f} s  {step}" for step, seconds in rows)


@pytest.fixture
def folder() -> Iterator[Path]:
    dockerfile.skip_unless_possible()
    # Not below pytest's folder, which is root's alone.
    with tempfile.TemporaryDirectory(prefix="grpcdns-walk-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_the_commands_of_the_readme(site: Site, upstream: CoreDNS, folder: Path) -> None:
    watch = Watch()
    checkout = folder / "grpcdns"
    watch.time("git clone", partial(clone, checkout))
    (block,) = [
        one for one in blocks((checkout / "README.md").read_text()) if "helm install" in one
    ]
    node = Node(site, checkout, folder)
    terminal = Terminal(checkout, _environment(site, folder), folder / "state")
    replaced = {"docker build": node.docker_build, "kind load": node.kind_load}
    with ExitStack() as running:
        for line in block.splitlines():
            words = shlex.split(line)
            does = replaced.get(" ".join(words[:2]))
            if does:
                watch.time(line, partial(does, *words[2:]))
                continue
            watch.time(line, partial(terminal.type, line))
            if words[:2] == ["helm", "install"]:
                watch.time("(the Pod is ready)", partial(_start, node, upstream, running, site))
    assert [step.split()[:2] for step, _ in watch.steps][-1] == ["helm", "test"]
    print(f"\n{watch}")


def _environment(site: Site, folder: Path) -> dict[str, str]:
    """A shell with helm, and a kubeconfig of the cluster."""
    (folder / "bin").mkdir()
    (folder / "bin" / "helm").symlink_to(binary("helm"))
    home = str(site.folder)
    return {
        "PATH": f"{folder / 'bin'}:/usr/bin:/bin",
        "HOME": home,
        "KUBECACHEDIR": home,
        "KUBECONFIG": str(site.cluster.admin_kubeconfig),
    }


def _start(node: Node, upstream: CoreDNS, running: ExitStack, site: Site) -> None:
    """The Pod, up until the end, and a kubelet for the Pod of `helm test`."""
    pod = node.pod()
    running.enter_context(pod.grpcdns)
    wait_until(pod.probe("startupProbe"), "the startup probe", timeout=120)
    coredns = running.enter_context(pod.coredns(upstream.address))
    wait_until(pod.probe("readinessProbe"), "the readiness probe", timeout=60)
    assert pod.probe("livenessProbe")()
    assert section(ask(coredns.address, NAME))[0].endswith(" IN A 10.96.0.10")
    expect_the_user(pod, coredns)
    running.enter_context(Kubelet(site, coredns.address, node.command))


def expect_the_user(pod: Pod, coredns: CoreDNS) -> None:
    """Processes and files are those of the image's user, and nobody else's."""
    assert everybody(pod.grpcdns.pid) == {IMAGE_USER}
    assert everybody(coredns.process.pid) == {IMAGE_USER}
    for socket in ("0.sock", "1.sock"):
        assert ownership(pod.folder / "run" / socket) == (IMAGE_USER, 0o660)
    snapshot = pod.folder / "cache" / "snapshot"
    wait_until(snapshot.exists, "a snapshot", timeout=60)
    assert ownership(snapshot) == (IMAGE_USER, stat.S_IRUSR | stat.S_IWUSR)
