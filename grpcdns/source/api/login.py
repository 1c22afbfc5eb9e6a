"""Where the API is and who we are there: from a Pod's service account or from a kubeconfig.

A kubeconfig with a token or certificates is read here (plain_kubeconfig.py). Others (exec plugins,
OIDC, merged files) are read by the ``kubernetes`` package in a short-lived process, ``python -m
grpcdns.source.api.kubeconfig``. Imported here, the package would keep 35 MB and 550 modules for
good, none of them used again, as kubernetes/__init__ imports all of itself (measured with
kubernetes 37.0.2). A service account needs no package: two variables and two files. Its token is
read again for each request, as the kubelet rotates it.

A mistake in either is a UserError; it ends the start, and later counts as a failure to reach the
API.
"""

from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path
from typing import Final

import msgspec

from grpcdns.config.options import UserError

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LOGIN_TIMEOUT: Final = 60.0
"""Seconds: an exec plugin may ask a distant server."""


class Login(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to reach the API. ``token`` is a whole Authorization header; ``token_file`` is read for
    each request and wins over it. ``ca``, ``cert``, ``key``: PEM."""

    host: str
    token: str = ""
    token_file: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True
    server_name: str = ""
    proxy: str = ""

    @property
    def path(self) -> str:
        """The prefix of every path, for an API behind a gateway."""
        at = self.host.find("/", self.host.find("://") + 3)
        return self.host[at:].rstrip("/") if at >= 0 else ""

    def authorization(self) -> str:
        """The Authorization header, "" where there is only a client certificate."""
        if not self.token_file:
            return self.token
        try:
            return f"Bearer {Path(self.token_file).read_text().strip()}"
        except OSError:
            return self.token  # the API answers 401 then, and we log in again

    def tls(self) -> ssl.SSLContext | None:
        """The TLS settings of connections; None for plain http. Raises UserError."""
        if not self.host.startswith("https://"):
            return None
        try:
            context = ssl.create_default_context(cadata=self.ca or None)
            accept_old_authorities(context)
            if not self.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if self.cert:
                _load_pair(context, self.cert, self.key)
        except (OSError, ValueError) as error:
            raise UserError(f"the cluster's certificates cannot be used: {error}") from error
        return context


def in_cluster(folder: Path = SERVICE_ACCOUNT) -> Login:
    """The service account of the Pod this runs in. Raises UserError outside a Pod."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise UserError(
            "no cluster: not in a Pod (KUBERNETES_SERVICE_HOST is not set), and neither KUBECONFIG "
            "nor ~/.kube/config names one; give --kubeconfig or --manifests"
        )
    try:
        token_file = folder / "token"
        token = token_file.read_text().strip()
        ca = (folder / "ca.crt").read_text()
    except (OSError, ValueError) as error:
        raise UserError(
            f"service account: {error}; is automountServiceAccountToken off?"
        ) from error
    if not token:
        raise UserError(f"service account: {token_file} is empty")
    host = f"[{host}]" if ":" in host else host
    return Login(f"https://{host}:{port}", f"Bearer {token}", str(token_file), ca)


def from_kubeconfig(path: str, context: str = "") -> Login:
    """The Login that kubeconfig files (separated by colons) describe; read in a child process if
    that needs the package. Raises UserError."""
    from grpcdns.source.api.plain_kubeconfig import plain

    login = plain(path, context)
    return _from_package(path, context) if login is None else login


def _from_package(path: str, context: str) -> Login:
    import subprocess

    command = [sys.executable, "-m", "grpcdns.source.api.kubeconfig", path, context]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LOGIN_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(
            f"kubeconfig {path}: its credentials plugin took over {LOGIN_TIMEOUT:g} s"
        ) from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise UserError(f"kubeconfig {path}: {lines[-1]}")
    return msgspec.json.decode(done.stdout, type=Login)


def accept_old_authorities(context: ssl.SSLContext) -> None:
    """Python 3.13 and newer refuse an authority without key identifiers (RFC 5280 4.2.1.1), which
    clusters have that EKS and others made; client-go accepts it, and so do older Pythons."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT


def _load_pair(context: ssl.SSLContext, cert: str, key: str) -> None:
    """OpenSSL reads a key only from a file: here from one in memory that no other process sees."""
    fd = _file_in_memory()
    try:
        os.write(fd, f"{cert}\n{key}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def _file_in_memory() -> int:
    """A descriptor without a name. Portable CPythons (uv's) are built without memfd_create."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("grpcdns-client-certificate", os.MFD_CLOEXEC)
    return os.open("/dev/shm", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)  # noqa: S108 - no name
