"""A stand-in for the kubelet: Pods bound to a Node that does not run, their status set by hand."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from harness.api import Api, ApiError, Object

NODE: Final = "node-1"


class Kubelet:
    """Binds Pods to one Node and sets their status."""

    def __init__(self, api: Api, node: str = NODE, *, zone: str = "zone-a") -> None:
        self._api = api
        self.node = node
        self.zone = zone
        self._registered = False

    def run(self, pod: Mapping[str, Any], ips: Sequence[str], *, ready: bool = True) -> Object:
        """Creates a Pod, bound to this Node and running at `ips`."""
        self._register()
        bound = {**pod, "spec": {**pod["spec"], "nodeName": self.node}}
        return self.set_status(self._api.create(bound), ips, ready=ready)

    def set_status(self, pod: Mapping[str, Any], ips: Sequence[str], *, ready: bool) -> Object:
        addresses = {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]} if ips else {}
        status = {
            "phase": "Running",
            "hostIP": "192.0.2.10",
            "conditions": _conditions(ready),
            **addresses,
        }
        return self._api.patch_status(pod, status)

    def set_ready(self, pod: Mapping[str, Any], ready: bool) -> Object:
        """Sets the Ready condition alone."""
        return self._api.patch_status(pod, {"conditions": _conditions(ready)})

    def finish(self, pod: Mapping[str, Any], phase: str = "Succeeded") -> Object:
        """The Pod has ended; it keeps its address in the status, as real ones do."""
        return self._api.patch_status(pod, {"phase": phase, "conditions": _conditions(False)})

    def terminate(self, pod: Mapping[str, Any], *, grace: int = 300) -> None:
        """Deletes it as a user does: it stays, terminating, until `remove`."""
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        self._api.request("DELETE", path, {"gracePeriodSeconds": grace})

    def remove(self, pod: Mapping[str, Any]) -> None:
        """Deletes the Pod at once."""
        self._api.delete(pod)

    def _register(self) -> None:
        if self._registered:
            return
        labels = {"topology.kubernetes.io/zone": self.zone, "kubernetes.io/hostname": self.node}
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.node, "labels": labels},
        }
        try:
            self._api.create(node)
        except ApiError as error:
            if error.code != 409:
                raise
        self._registered = True


def _conditions(ready: bool) -> list[Object]:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    status = "True" if ready else "False"
    return [{"type": "Ready", "status": status, "lastTransitionTime": now}]
