"""The Pod of the overlay, run as processes: its command lines, Corefile and probes, with the token
of its service account. Only ports differ, as they must without a Pod, and paths outside a
`Container`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import urllib3

from harness.coredns import CoreDNS, replaced
from harness.ports import Address, free_address, free_port
from harness.process import Process
from tests.system.deploy.container import Container

GRPCDNS = [sys.executable, "-m", "grpcdns"]


class Pod:
    """``objects`` are those of the kustomization; ``folder`` stands for the Pod's file systems.

    In a ``container`` the volumes are at their own paths, which it must have. ``grpcdns`` runs the
    image's entry point in a root with a Pod's volumes and account; there is no kubeconfig then.
    """

    def __init__(
        self,
        objects: list[dict[str, Any]],
        kubeconfig: Path | None,
        folder: Path,
        container: Container | None = None,
        grpcdns: Sequence[str] = (),
    ) -> None:
        (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
        (config,) = [one for one in objects if one["kind"] == "ConfigMap"]
        (self.sidecar,) = deployment["spec"]["template"]["spec"]["initContainers"]
        self._text = config["data"]["Corefile"]
        self.folder = folder
        self._container = container
        self._prefix = container.prefix if container else []
        self._command = list(grpcdns) or [*self._prefix, *GRPCDNS]
        for volume in ("run", "cache", "tmp"):
            (folder / volume).mkdir(exist_ok=container is not None)
        self.metrics = free_port()
        self.native = free_port()
        self.dns: Address = free_address()
        args = [self._local(arg) for arg in self.sidecar["args"]]
        if kubeconfig:
            args += ["--kubeconfig", str(kubeconfig)]
        self.grpcdns = Process(
            [*self._command, *args],
            log=folder / "grpcdns.log",
            env={} if container else {"TMPDIR": str(folder / "tmp")},
        )

    def corefile(self, forward: Address) -> str:
        """The ConfigMap's, with addresses of this machine."""
        return replaced(
            self._local(self._text),
            {
                "/etc/resolv.conf": str(forward),
                "prometheus :9153": f"prometheus {free_address()}",
                "health {": f"health {free_address()} {{",
                "    ready\n": f"    ready {free_address()}\n",
                "lameduck 5s": "lameduck 1s",
            },
        )

    def coredns(self, forward: Address) -> CoreDNS:
        folder = self.folder / "coredns" if self._container else None
        text = self.corefile(forward)
        return CoreDNS(text, address=self.dns, folder=folder, prefix=self._prefix)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """``kubectl exec`` of grpcdns in the sidecar."""
        command = [*self._command, *map(self._local, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def probe(self, name: str) -> Callable[[], bool]:
        """A probe of the sidecar, as the kubelet runs it."""
        probe = self.sidecar[name]
        if "exec" in probe:
            command = [self._local(word) for word in probe["exec"]["command"]]
            assert command[0] == "grpcdns"
            argv = [*self._command, *command[1:]]
            return lambda: _succeeds(argv, probe["timeoutSeconds"])
        if "grpc" in probe:
            words = ["check", "--service", probe["grpc"]["service"], "--server"]
            address = f"127.0.0.1:{self.native}"
            return lambda: _succeeds([*GRPCDNS, *words, address], 5)
        url = f"http://127.0.0.1:{self.metrics}{probe['httpGet']['path']}"
        return lambda: _is_ok(url, probe["timeoutSeconds"])

    def _local(self, text: str) -> str:
        if not self._container:
            text = text.replace("/run/grpcdns", str(self.folder / "run"))
            text = text.replace("/var/cache/grpcdns", str(self.folder / "cache"))
            text = text.replace("/etc/grpcdns-tls", str(self.folder / "tls"))
        return (
            text.replace("--metrics=:9154", f"--metrics=127.0.0.1:{self.metrics}")
            .replace("0.0.0.0:5301", f"127.0.0.1:{self.native}")
            .replace("--upstream=127.0.0.1:53", f"--upstream={self.dns}")
        )


def _succeeds(command: list[str], seconds: float) -> bool:
    run = subprocess.run(command, capture_output=True, timeout=seconds + 5, check=False)
    return run.returncode == 0


def _is_ok(url: str, seconds: float) -> bool:
    try:
        return bool(urllib3.request("GET", url, timeout=seconds, retries=False).status == 200)
    except urllib3.exceptions.HTTPError:
        return False
