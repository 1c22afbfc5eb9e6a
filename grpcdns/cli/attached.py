"""The objects of a running ``grpcdns serve``, received from its feed as a worker receives them.

The feed lists every object to each connection of the link, a unix socket in the private run folder
(0700). `read` connects, receives the lists and disconnects. So it works for the user that grpcdns
runs as, on the same machine or in the same container, and for no other.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from grpcdns.cli import NotDone
from grpcdns.cli.listed import Cluster, index_of, zones_of
from grpcdns.config.options import Config
from grpcdns.core.answers.policy import kept_kinds
from grpcdns.core.cluster.objects import Kind
from grpcdns.core.cluster.store import Store
from grpcdns.serve import link, status
from grpcdns.serve.rundir import RunDir
from grpcdns.serve.status import Status
from grpcdns.source.kinds import WATCHED

NAME = "explain"


def read(address: str, seconds: float) -> Cluster:
    """The objects that the feed of the worker at ``address`` has, all kinds that answers need.

    Raises NotDone when that takes longer than ``seconds``, and at once when the feed reports why a
    kind is missing.
    """
    sock, config = _dial(address)
    received = _Received(kept_kinds(config.policy()))
    why = "the feed has closed the connection"
    try:
        with sock:
            sock.settimeout(seconds)
            sock.sendall(link.to_frame(link.Hello(NAME, live=False)))
            end = time.monotonic() + seconds
            for message in link.receive(sock, link.Reader()):
                received.take(message)
                if received.is_whole or received.problems:
                    break
                sock.settimeout(max(0.001, end - time.monotonic()))
    except (OSError, link.LinkError) as error:
        why = f"nothing more from the feed: {error}"
    if not received.is_whole:
        kinds = ", ".join(WATCHED[kind].name for kind in sorted(received.missing)) or "its state"
        why = "; ".join(received.problems) or f"no {kinds}: {why}"
        raise NotDone(f"{address}: not complete: {why}")
    index = index_of(config.policy(), received.store)
    index.serials = [received.serial] * len(index.serials)
    zones = zones_of(config.policy(), index)
    state = received.state
    return Cluster(config, index, zones, address, state.heard, state.saved, state.guard)


def ask_guard(address: str, seconds: float, *, release: bool) -> link.GuardStatus:
    """How the guard of the feed of the worker at ``address`` is; with ``release``, it lets go.

    Raises NotDone.
    """
    found = _ask(address, seconds, link.GuardAsk(release))
    if isinstance(found, link.GuardStatus):
        return found
    raise NotDone(f"{address}: no answer about the guard: {found}")


def ask_status(address: str, seconds: float) -> Status:
    """How the ``grpcdns serve`` of the worker at ``address`` is. Raises NotDone."""
    found = _ask(address, seconds, link.StatusAsk())
    if isinstance(found, link.StatusReport):
        try:
            return status.from_json(found.json)
        except msgspec.DecodeError as error:
            found = f"another version of grpcdns serves there: {error}"
    raise NotDone(f"{address}: no status: {found}")


def _ask(address: str, seconds: float, question: link.Message) -> link.Message | str:
    """The feed's answer to a question, or why there is none."""
    sock, _ = _dial(address)
    try:
        with sock:
            sock.settimeout(seconds)
            sock.sendall(link.to_frame(question))
            for message in link.receive(sock, link.Reader()):
                return message
    except (OSError, link.LinkError) as error:
        return str(error)
    return "the feed has closed the connection"


class _Received:
    """The messages of one connection, put together."""

    def __init__(self, needed: frozenset[Kind]) -> None:
        self.store = Store()
        self.state = link.State(restored=False)
        self.serial = 0
        self._needed = needed
        self._has_state = False

    @property
    def missing(self) -> frozenset[Kind]:
        return self._needed - self.store.listed

    @property
    def is_whole(self) -> bool:
        """Whether every kind is complete, and the feed has said how old the data is."""
        return self._has_state and not self.missing

    @property
    def problems(self) -> tuple[str, ...]:
        return self.state.problems

    def take(self, message: link.Message) -> None:
        if isinstance(message, link.Listing):
            self.store.bodies[message.kind].clear()
            self.store.listed.discard(message.kind)
            self.serial = max(self.serial, message.at)
        elif isinstance(message, link.Objects):
            self.store.update(message.kind, message.entries)
        elif isinstance(message, link.Listed):
            self.store.listed.add(message.kind)
        elif isinstance(message, link.Changes):
            for change in message.changes:
                self.store.update(change.kind, [(change.key, change.body)])
                self.serial = max(self.serial, change.at)
        elif isinstance(message, link.State):
            self.state, self._has_state = message, True


def _dial(address: str) -> tuple[socket.socket, Config]:
    """A connection to the feed of the ``grpcdns serve`` that listens on ``address``; its options.

    A supervisor that was killed leaves its folder behind: a folder without a feed is skipped.
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
    why = "; there is a run folder of another user: run this as that user" if refused else ""
    raise NotDone(f"{address}: no grpcdns serve on this machine listens there{why}")


def find_only() -> str:
    """The first ``--listen`` of the only ``grpcdns serve`` here. Raises NotDone."""
    found: list[str] = []
    for run in map(RunDir, _folders()):
        with socket.socket(socket.AF_UNIX) as sock:
            try:
                sock.connect(run.link)
                found.append(run.config().listen[0])
            except (OSError, ValueError):
                continue  # it has ended, or is another user's
    if not found:
        raise NotDone("no grpcdns serve of this user runs on this machine: give --server")
    if len(found) > 1:
        raise NotDone(f"several run here: give --server ({', '.join(found)})")
    return found[0]


def _folders() -> Iterator[Path]:
    parents = (os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp")  # noqa: S108
    for parent in dict.fromkeys(filter(None, parents)):
        yield from filter(_is_private, sorted(Path(parent).glob("grpcdns-*")))


def _is_private(folder: Path) -> bool:
    """Whether only its owner can have made it: anybody can create such a name in /tmp."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = os.geteuid() in (0, found.st_uid)
    return mine and stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
