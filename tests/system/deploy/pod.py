"""The Pod of the overlay, run as processes: its command lines, Corefile and probes, with the token
of its service account. Only paths and ports differ, as they must without a Pod."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3

from harness.coredns import CoreDNS, replaced
from harness.ports import Address, free_address, free_port
from harness.process import Process

GRPCDNS = [sys.executable, "-m", "grpcdns"]


class Pod:
    """``objects`` are those of the kustomization; ``folder`` stands for the Pod's file systems."""

    def __init__(self, objects: list[dict[str, Any]], kubeconfig: Path, folder: Path) -> None:
        (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
        (config,) = [one for one in objects if one["kind"] == "ConfigMap"]
        (self.sidecar,) = deployment["spec"]["template"]["spec"]["initContainers"]
        self._text = config["data"]["Corefile"]
        self._folder = folder
        for volume in ("run", "cache", "tmp"):
            (folder / volume).mkdir()
        self.metrics = free_port()
        self.native = free_port()
        self.dns: Address = free_address()
        args = [self._local(arg) for arg in self.sidecar["args"]]
        self.grpcdns = Process(
            [*GRPCDNS, *args, "--kubeconfig", kubeconfig],
            log=folder / "grpcdns.log",
            env={"TMPDIR": str(folder / "tmp")},
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
        return CoreDNS(self.corefile(forward), address=self.dns)

    def probe(self, name: str) -> Callable[[], bool]:
        """A probe of the sidecar, as the kubelet runs it."""
        probe = self.sidecar[name]
        if "exec" in probe:
            command = [self._local(word) for word in probe["exec"]["command"]]
            assert command[0] == "grpcdns"
            return lambda: _succeeds([*GRPCDNS, *command[1:]], probe["timeoutSeconds"])
        if "grpc" in probe:
            words = ["check", "--service", probe["grpc"]["service"], "--server"]
            address = f"127.0.0.1:{self.native}"
            return lambda: _succeeds([*GRPCDNS, *words, address], 5)
        url = f"http://127.0.0.1:{self.metrics}{probe['httpGet']['path']}"
        return lambda: _is_ok(url, probe["timeoutSeconds"])

    def _local(self, text: str) -> str:
        return (
            text.replace("/run/grpcdns", str(self._folder / "run"))
            .replace("/var/cache/grpcdns", str(self._folder / "cache"))
            .replace("--metrics=:9154", f"--metrics=127.0.0.1:{self.metrics}")
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
