"""What both transports share: the public gRPC server, its limits and its addresses."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc

from grpcdns.config.options import UserError
from grpcdns.serve.worker.transport import reflection
from grpcdns.serve.worker.transport.contract import AddressError
from grpcdns.serve.worker.transport.health import Health
from grpcdns.serve.worker.transport.packet import MAX_PACKET

# Bounds on what a caller can use up (CVE-2025-68151, CVE-2023-33953 and the like).
OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_PACKET),
    ("grpc.max_concurrent_streams", 1024),
    ("grpc.max_allowed_incoming_connections", 256),
    ("grpc.max_metadata_size", 8192),
    ("grpc.absolute_max_metadata_size", 16384),
    ("grpc.server_handshake_timeout_ms", 10_000),
    # Windows of 64 KB are enough for messages of a kilobyte: no pings to measure the bandwidth.
    ("grpc.http2.bdp_probe", 0),
    # Calls that the transport has not asked for yet: beyond the first number some are refused
    # (UNAVAILABLE at the caller), beyond the second all; grpcio's core does so at almost no cost.
    ("grpc.server.max_pending_requests", 2000),
    ("grpc.server.max_pending_requests_hard_limit", 3000),
    ("grpc.server_max_unrequested_time_in_server", 5),
    # Without this a second process could bind the same port.
    ("grpc.so_reuseport", 0),
    # A caller may ping this often (grpcio's default drops one that pings within 300 s). Our own
    # pings find a caller that went away silently.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)


class Listeners:
    """The addresses to listen on, and the server that serves health and reflection there.

    ``addresses`` are as in `Config.listen`; ``private`` is a unix socket in the run folder, for
    the probe. ``group`` owns the unix sockets and the folders made for them. ``credentials`` are
    for the TCP addresses.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        health: Health,
        *,
        private: str = "",
        group: str = "",
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._addresses = tuple(addresses)
        self._health = health
        self._private = private
        self._group = group
        self._credentials = credentials

    def server(
        self, handlers: Iterable[grpc.GenericRpcHandler[Any, Any]], threads: int = 2
    ) -> grpc.Server:
        """A public server with health, reflection and ``handlers``, not bound yet."""
        return grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            handlers=[*handlers, self._health.handler(), *reflection.handlers()],
            options=OPTIONS,
        )

    def bind(self, server: grpc.Server) -> None:
        """Raises `AddressError` for the first address that cannot be bound."""
        for address in self._addresses:
            if address.startswith("unix:"):
                self._bind_unix(server, address.removeprefix("unix:").removeprefix("//"))
            else:
                self._bind_tcp(server, address)
        if self._private:
            _add_unix(server, self._private)

    def _bind_tcp(self, server: grpc.Server, address: str) -> None:
        try:
            if self._credentials is None:
                server.add_insecure_port(address)
            else:
                server.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise AddressError(f"--listen {address}: {_why_not(address)}") from error

    def _bind_unix(self, server: grpc.Server, path: str) -> None:
        group = _group_id(self._group)
        try:
            _make_folder(Path(path).parent, group)
            _clear_stale(path)
            _add_unix(server, path)
            if group is not None:
                os.chown(path, -1, group)
        except OSError as error:
            raise AddressError(f"--listen unix://{path}: {error.strerror}") from error
        except RuntimeError as error:
            raise AddressError(f"--listen unix://{path}: {_why_not_unix(path)}") from error


def _make_folder(folder: Path, group: int | None) -> None:
    """Make it unless it exists: another worker may be making it at this moment."""
    try:
        folder.mkdir(parents=True, mode=0o750)
    except FileExistsError:
        return
    if group is not None:
        os.chown(folder, -1, group)


def _add_unix(server: grpc.Server, path: str) -> None:
    """Bind a socket that has mode 0660 from the start."""
    umask = os.umask(0o117)
    try:
        server.add_insecure_port(f"unix:{path}")
    finally:
        os.umask(umask)


def _clear_stale(path: str) -> None:
    """Remove a socket that nobody listens on. Raises `AddressError` for anything else there."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    where = f"--listen unix://{path}"
    if not stat.S_ISSOCK(mode):
        raise AddressError(f"{where}: exists and is no socket; remove it or choose another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # somebody listens, and is busy
    raise AddressError(f"{where}: in use by another process; stop it or choose another path")


def _why_not(address: str) -> str:
    """Why the system refuses to bind a TCP address; grpcio does not report it."""
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, name in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(name)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "cannot be bound"


def _why_not_unix(path: str) -> str:
    """Why the system refuses to bind a unix socket."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(path)
        os.unlink(path)
    except PermissionError:
        return f"user {os.geteuid()} may not write to {os.path.dirname(path)}"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "cannot be bound"


def _group_id(group: str) -> int | None:
    if not group:
        return None
    if group.isdigit():
        return int(group)
    import grp

    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise UserError(f"--socket-group {group}: no such group") from None
