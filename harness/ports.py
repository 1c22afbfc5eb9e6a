"""Free loopback addresses.

Another process may take a free port before it is bound. So ports come from below the kernel's
ephemeral range, and each is reserved by a lock on a file, which every process that uses this
module respects, until the process that asked for it ends.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

LOOPBACK: Final = "127.0.0.1"
_RANGE: Final = range(12000, 30000)


class Address(NamedTuple):
    """A tuple for sockets; as text HOST:PORT, for command lines and Corefiles."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def free_address() -> Address:
    """127.0.0.1 and a free port."""
    return Address(LOOPBACK, free_port())


def free_port() -> int:
    """A port that is free on 127.0.0.1 over UDP and TCP, reserved until this process ends."""
    folder = Path(tempfile.gettempdir(), f"grpcdns-ports-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.sample(_RANGE, len(_RANGE)):
        if _hold(folder / str(port)) and _is_free(port):
            return port
    raise OSError("no free port on 127.0.0.1")


def _hold(path: Path) -> bool:
    """Whether the lock is ours now. Its descriptor stays open: the end of the process closes it."""
    lock = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True
