"""Certificates of the TCP listeners, reloaded when their files change.

grpcio asks for the configuration at each new connection. The files are read again only when one of
them is another file, or has another time or size, than before. Files that do not match each other
are ignored: the last good ones stay in use, and the log says so once for each change. grpcio
accepts TLS 1.2 and newer.
"""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Callable
from typing import NamedTuple

import grpc

from grpcdns.config.options import Config, UserError

_log = logging.getLogger(__name__)


class Files(NamedTuple):
    """The paths in ``--tls-cert``, ``--tls-key`` and ``--tls-client-ca``; "" for none."""

    cert: str
    key: str
    client_ca: str

    @property
    def present(self) -> list[str]:
        return [path for path in self if path]


class Certificates:
    """``files`` is called for the paths each time. Raises `UserError` as `_load` does."""

    def __init__(self, files: Callable[[], Files]) -> None:
        self._files = files
        self._lock = threading.Lock()
        self._seen = _signature(files())
        self._good = _load(files())

    def credentials(self) -> grpc.ServerCredentials:
        return grpc.dynamic_ssl_server_credentials(
            self._good,
            self._renewed,  # type: ignore[arg-type]  # None is allowed
            require_client_authentication=bool(self._files().client_ca),
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The configuration for a new connection; None: as before."""
        with self._lock:
            files = self._files()
            seen = _signature(files)
            if seen == self._seen:
                return None
            self._seen = seen
            try:
                self._good = _load(files)
            except UserError as error:
                _log.warning("certificates not reloaded, the last good ones stay: %s", error)
                return None
            _log.info("certificates reloaded")
            return self._good


def make_credentials(config: Config) -> grpc.ServerCredentials | None:
    """Raises `UserError` for certificates that cannot be used."""
    if not config.tls_cert:
        return None
    files = Files(config.tls_cert, config.tls_key, config.tls_client_ca)
    return Certificates(lambda: files).credentials()


def _signature(files: Files) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for path in files.present:
        try:
            info = os.stat(path)
        except OSError:
            found.append(())
        else:
            found.append((info.st_dev, info.st_ino, info.st_mtime_ns, info.st_size))
    return found


def _load(files: Files) -> grpc.ServerCertificateConfiguration:
    """Raises `UserError` when they cannot be read or do not match each other."""
    cert, key = _read("--tls-cert", files.cert), _read("--tls-key", files.key)
    client_ca = _read("--tls-client-ca", files.client_ca) if files.client_ca else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(files.cert, files.key)
    except (ssl.SSLError, ValueError) as error:
        raise UserError(f"--tls-cert {files.cert}, --tls-key {files.key}: {_why(error)}") from error
    if client_ca is not None:
        try:
            context.load_verify_locations(cadata=client_ca.decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            raise UserError(f"--tls-client-ca {files.client_ca}: {_why(error)}") from error
    return grpc.ssl_server_certificate_configuration([(key, cert)], root_certificates=client_ca)


def _read(option: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{option} {path}: {(error.strerror or str(error)).lower()}") from error


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", None) or str(error) or "not PEM"
    return str(reason).lower().replace("_", " ")
