"""Reads the kubeconfigs that need no package: one file, with a token or certificates.

Loading the ``kubernetes`` package takes most of the time of a login (`python -m
bench.measure.imports kubernetes.client`), and most kubeconfigs need nothing that it does. `plain`
returns the same Login as `kubeconfig.load`, or None: for a key that it does not know, credentials
that a program or a file of tokens gives, a proxy, and for each mistake, whose message is the
package's.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from grpcdns.source.api.login import Login

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CLUSTER: Final = frozenset(
    {
        "server",
        "certificate-authority",
        "certificate-authority-data",
        "insecure-skip-tls-verify",
        "tls-server-name",
    }
)
_USER: Final = frozenset(
    {
        "token",
        "client-certificate",
        "client-certificate-data",
        "client-key",
        "client-key-data",
    }
)
_FLAG: Final = "insecure-skip-tls-verify"


def plain(path: str, context: str = "") -> Login | None:
    """The Login that a kubeconfig describes; None if the package has to read it. Never raises."""
    if os.pathsep in path or any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    try:
        file = Path(path).expanduser()
        document = yaml.load(file.read_bytes().decode(), _LOADER)  # noqa: S506 - a safe loader
        return _login(document, context, os.path.abspath(file.parent))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, yaml.YAMLError):
        return None


def _login(document: Mapping[str, Any], context: str, folder: str) -> Login | None:
    """Raises LookupError and others for what is not as it should be."""
    chosen = _named(document["contexts"], context or document["current-context"])["context"]
    cluster = _named(document["clusters"], chosen["cluster"])["cluster"]
    user = _named(document["users"], chosen["user"])["user"]
    texts = [value for part in (cluster, user) for key, value in part.items() if key != _FLAG]
    if not (cluster.keys() <= _CLUSTER and user.keys() <= _USER):
        return None
    if not all(isinstance(text, str) and text for text in texts):
        return None
    if not isinstance(cluster.get(_FLAG, False), bool):
        return None
    host = cluster["server"].rstrip("/")
    token, cert = user.get("token", ""), _pem(user, "client-certificate", folder)
    if not host.startswith("https://") or not (token or cert):
        return None
    return Login(
        host=host,
        token=f"Bearer {token}" if token else "",
        ca=_pem(cluster, "certificate-authority", folder),
        cert=cert,
        key=_pem(user, "client-key", folder),
        verify=not cluster.get(_FLAG, False),
        server_name=cluster.get("tls-server-name", ""),
    )


def _named(entries: list[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    """The one entry of that name. Raises LookupError."""
    found = [entry for entry in entries if entry["name"] == name]
    if len(found) != 1 or not isinstance(name, str):
        raise LookupError(name)
    return found[0]


def _pem(part: Mapping[str, str], key: str, folder: str) -> str:
    """A certificate or key: in the kubeconfig itself, else in a file; "" for none. Raises OSError
    and ValueError."""
    if f"{key}-data" in part:
        raw = base64.standard_b64decode(part[f"{key}-data"])
    elif key in part:
        raw = Path(os.path.normpath(os.path.join(folder, part[key]))).read_bytes()
    else:
        return ""
    text = raw.decode("ascii")
    if not text:
        raise ValueError(f"{key} is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n")
