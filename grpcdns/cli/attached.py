"""What a running ``grpcdns serve`` knows, asked as one of its workers would ask.

Nothing is added to what the worker serves. The feed lists every object to whoever connects to the
link, a unix socket in the private run folder (0700): this connects, takes the lists and goes. So
it works for the user that grpcdns runs as, on its machine or in its container, and for nobody else.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from grpcdns.cli import NotDone
from grpcdns.cli.listed import Cluster, index_of
from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Zones, needed_kinds
from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.serve import link
from grpcdns.serve.rundir import RunDir

NAME = "explain"


def read(address: str, seconds: float) -> Cluster:
    """What the feed behind the worker at ``address`` has told it. Raises NotDone."""
    sock, config = _dial(address)
    snapshot = _Snapshot()
    needed = needed_kinds(config.policy())
    try:
        with sock:
            sock.settimeout(seconds)
            sock.sendall(link.to_frame(link.Hello(NAME, live=False)))
            end = time.monotonic() + seconds
            for message in link.receive(sock, link.Reader()):
                snapshot.take(message)
                if needed <= snapshot.complete:
                    break
                sock.settimeout(max(0.001, end - time.monotonic()))
    except (OSError, link.LinkError) as error:
        if missing := sorted(kind.name.lower() for kind in needed - snapshot.complete):
            raise NotDone(f"{address}: {', '.join(missing)} not listed: {error}") from error
    index = index_of(config.policy(), snapshot.objects)
    index.serials = [snapshot.serial] * len(index.serials)
    zones = Zones(config.policy())
    return Cluster(config, index, zones, address, snapshot.heard, snapshot.restored)


class _Snapshot:
    """The messages of one connection, put together."""

    def __init__(self) -> None:
        self.objects: dict[Kind, dict[str, bytes]] = {}
        self.complete: set[Kind] = set()
        self.serial = 0
        self.heard = 0.0
        self.restored = 0.0

    def take(self, message: link.Message) -> None:
        if isinstance(message, link.Listing):
            self.objects[message.kind] = {}
            self.serial = max(self.serial, message.at)
        elif isinstance(message, link.Objects):
            self.objects.setdefault(message.kind, {}).update(message.entries)
        elif isinstance(message, link.Listed):
            self.complete.add(message.kind)
        elif isinstance(message, link.Changes):
            for change in message.changes:
                self._apply(change)
        elif isinstance(message, link.State):
            self.restored = message.saved if message.restored else 0.0
            self.heard = message.heard

    def _apply(self, change: Change) -> None:
        bodies = self.objects.setdefault(change.kind, {})
        if change.body is None:
            bodies.pop(change.key, None)
        else:
            bodies[change.key] = change.body
        self.serial = max(self.serial, change.at)


def _dial(address: str) -> tuple[socket.socket, Config]:
    """The feed of the ``grpcdns serve`` that listens on ``address``, and its options.

    A supervisor that was killed leaves its folder behind: one where nobody answers is passed over.
    Raises NotDone.
    """
    refused = False
    for run in map(RunDir, _folders()):
        sock = socket.socket(socket.AF_UNIX)
        try:
            config = run.config()
            if address in config.listen:
                sock.connect(run.link)
                return sock, config
        except (OSError, ValueError) as error:
            refused |= isinstance(error, PermissionError)
        sock.close()
    why = "; another user's run folder is there: be that user" if refused else ""
    raise NotDone(f"{address}: no grpcdns serve on this machine listens there{why}")


def _folders() -> Iterator[Path]:
    parents = (os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp")  # noqa: S108
    for parent in dict.fromkeys(filter(None, parents)):
        yield from filter(_is_private, sorted(Path(parent).glob("grpcdns-*")))


def _is_private(folder: Path) -> bool:
    """Whether it is what it seems: /tmp is everybody's, and anybody may make such a name there."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = os.geteuid() in (0, found.st_uid)
    return mine and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
