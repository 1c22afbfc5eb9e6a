"""Kubeconfig files (YAML, written as the JSON that YAML includes)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.certificates import KeyPair
from harness.ports import Address


def write_kubeconfig(
    path: Path,
    server: Address,
    ca: Path,
    *,
    client: KeyPair | None = None,
    token: str | None = None,
    context: str = "test",
) -> Path:
    """One cluster, one user, and one context named `context`, which is the current one."""
    user: dict[str, Any] = {"token": token} if token else {}
    if client:
        user |= {"client-certificate": str(client.cert), "client-key": str(client.key)}
    cluster = {"server": f"https://{server}", "certificate-authority": str(ca)}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": context, "context": {"cluster": "test", "user": "test"}}],
        "current-context": context,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))
    return path
