"""What the kubelet does with the Pod of `helm test`."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Sequence

from harness.api import ApiError, Object
from harness.ports import Address
from tests.system.deploy.pod import GRPCDNS
from tests.system.helm.conftest import NAMESPACE, Site


class Kubelet:
    """Runs the Pod as a process: its command with variables as the kubelet sets them, its status by
    the exit code. ``front`` answers at what should be the Service's address; ``grpcdns`` gives the
    command that is a container's entry point, by default this checkout's."""

    def __init__(
        self,
        site: Site,
        front: Address,
        grpcdns: Callable[[Object], Sequence[str]] = lambda _: GRPCDNS,
    ) -> None:
        self._site = site
        self._front = front
        self._grpcdns = grpcdns
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.output = ""

    def __enter__(self) -> Kubelet:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(0.05):
            try:
                pod = self._site.api.get("Pod", "grpcdns-test", NAMESPACE)
            except ApiError:
                continue
            if pod.get("status", {}).get("phase") == "Pending":
                self._run_pod(pod)

    def _run_pod(self, pod: Object) -> None:
        (container,) = pod["spec"]["containers"]
        assert pod["spec"]["enableServiceLinks"]
        words = [self._expanded(word) for word in container["args"]]
        done = subprocess.run(
            [*self._grpcdns(container), *words], capture_output=True, text=True, check=False
        )
        self.output += done.stdout + done.stderr
        phase = "Failed" if done.returncode else "Succeeded"
        self._site.api.patch_status(pod, {"phase": phase})

    def _expanded(self, word: str) -> str:
        """`$(NAME)`; one that nobody sets stays. The address becomes the one here."""
        links = {}
        for service in self._site.api.list("Service", NAMESPACE):
            if (address := service["spec"]["clusterIP"]) != "None":
                name = service["metadata"]["name"].upper().replace("-", "_")
                links[f"{name}_SERVICE_HOST"] = address
        own = links.get("GRPCDNS_SERVICE_HOST", "missing")
        found = re.sub(r"\$\((\w+)\)", lambda one: links.get(one[1], one[0]), word)
        return found.replace(f"--dns={own}", f"--dns={self._front}")
