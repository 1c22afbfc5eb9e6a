"""The Pod of the overlay, run as processes: its own command lines, Corefile and probes, with the
service account's token. Only paths and ports are others, as they must be without a Pod."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3

from harness.coredns import CoreDNS
from harness.ports import Address, free_address, free_port
from harness.process import Process

GRPCDNS = [sys.executable, "-m", "grpcdns"]


class Pod:
    """``objects`` are the kustomization's; ``folder`` takes the place of the Pod's file systems."""

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
        """The ConfigMap's, with this machine's addresses."""
        text = self._local(self._text).replace("/etc/resolv.conf", str(forward))
        metrics = f"127.0.0.1:{free_port()}"
        text = text.replace(":9153", metrics)
        text = re.sub(r"^( +)health {", rf"\1health 127.0.0.1:{free_port()} {{", text, flags=re.M)
        text = re.sub(r"^( +)ready$", rf"\1ready 127.0.0.1:{free_port()}", text, flags=re.M)
        return text.replace("lameduck 5s", "lameduck 1s")

    def coredns(self, forward: Address) -> CoreDNS:
        return CoreDNS(self.corefile(forward), address=self.dns)

    def probe(self, name: str) -> Callable[[], bool]:
        """A probe of the sidecar, as the kubelet makes it."""
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
