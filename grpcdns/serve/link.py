"""The link: the messages between the feed and its workers, over a unix stream socket in the run
folder.

Each message is a frame (`grpcdns.frames`) of one of the structs below. The worker connects and says
Hello. The feed then lists every kind it has (Listing, Objects..., Listed; a kind that is not
complete has no Listed) and sends Changes as they come. Changes may stand between the frames of a
listing, and are then newer than it. State says how good the data is. An Ask is answered by a
Report. `grpcdns explain` connects in the same way, under a name that no worker has. `grpcdns guard`
says no Hello: its GuardAsk is answered by a GuardStatus. A StatusAsk, without a Hello either, is
answered by a StatusReport.

May live here: messages. No threads, and no decisions.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Final

import msgspec

from grpcdns import frames
from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.core.cluster.objects import Objects as Objects  # one of the messages
from grpcdns.frames import FrameError

VERSION: Final = 1
WORKER: Final = "worker-"
"""A worker's name begins with this."""


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """A worker's first message; the feed hangs up on another version. ``live``: the worker has data
    that is not from a snapshot."""

    name: str
    live: bool
    version: int = VERSION


class Listing(msgspec.Struct, frozen=True, array_like=True, tag="listing"):
    """All objects of a kind follow. ``at`` is the serial of the Changes that they make."""

    kind: Kind
    at: int


class Listed(msgspec.Struct, frozen=True, array_like=True, tag="listed"):
    """The kind is complete, by what its listing and the Changes have brought."""

    kind: Kind


class Changes(msgspec.Struct, frozen=True, array_like=True, tag="changes"):
    """``number``: how many Changes the feed has sent, these included."""

    changes: tuple[Change, ...]
    number: int = 0


class State(msgspec.Struct, frozen=True, array_like=True, tag="state"):
    """How good the data is: live, or ``restored`` from a snapshot of ``saved`` (unix seconds)."""

    restored: bool
    saved: float = 0.0
    heard: float = 0.0
    """When the API was last heard about the kind that has been silent longest (unix seconds), as of
    this message: `explain` shows it."""
    problems: tuple[str, ...] = ()
    """Why kinds that answers need are not listed, a line each that names the kind unless it is all
    of them: for `explain`. That a list has not come yet is no problem."""
    guard: str = ""
    """What was lost when the guard began to hold; "" while it does not: for `explain`."""


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask"):
    """The feed asks for the worker's metrics; with ``names``, also for so many names of each
    outcome, and for when it applied what."""

    number: int
    names: int = 0


class TopNames(msgspec.Struct, frozen=True, array_like=True):
    """The questions with one outcome asked most, and by how much their counts may be too high. A
    question is a name, type and class as in a message; ``outcome`` a key of
    `core.sketch.OUTCOMES`."""

    outcome: int
    error: int
    counts: tuple[tuple[bytes, int], ...]


class Report(msgspec.Struct, frozen=True, array_like=True, tag="report"):
    """The worker's samples: name, labels as Prometheus writes them ("" for none), value. The rest
    only if asked for: ``names`` since ``since`` (unix seconds); the number of each of the latest
    Changes of this connection and when it was applied, oldest first; when the latest list was."""

    number: int
    samples: tuple[tuple[str, str, float], ...]
    names: tuple[TopNames, ...] = ()
    since: float = 0.0
    applied: tuple[tuple[int, float], ...] = ()
    listed: float = 0.0


class GuardAsk(msgspec.Struct, frozen=True, array_like=True, tag="guard?"):
    """`grpcdns guard` asks how the guard is; with ``release``, to let go first."""

    release: bool


class GuardStatus(msgspec.Struct, frozen=True, array_like=True, tag="guard"):
    """The answer: how the guard was when asked. ``percent``: 0 without a guard. ``since``: unix
    seconds since which it holds, 0 if it does not; ``until``: when it ends by itself, at the
    latest. ``withheld``: how many losses, by the name of their kind. ``released``: whether the
    request has ended it."""

    percent: float
    since: int = 0
    until: int = 0
    why: str = ""
    services: int = 0
    withheld: tuple[tuple[str, int], ...] = ()
    released: bool = False


class StatusAsk(msgspec.Struct, frozen=True, array_like=True, tag="status?"):
    """A command asks how everything is."""


class StatusReport(msgspec.Struct, frozen=True, array_like=True, tag="status"):
    """The answer: a `serve.status.Status` in JSON."""

    json: bytes


Message = (
    Hello
    | Listing
    | Objects
    | Listed
    | Changes
    | State
    | Ask
    | Report
    | GuardAsk
    | GuardStatus
    | StatusAsk
    | StatusReport
)

_decoder: Final = msgspec.msgpack.Decoder(Message)


class LinkError(Exception):
    """The other end is gone or does not keep to the protocol: hang up."""


def to_frame(message: Message) -> bytes:
    return frames.to_frame(message)


class Reader:
    """Messages out of octets that come in pieces of any size. It has a `frames.Reader` and is none:
    a compiled class is no base of this one."""

    def __init__(self) -> None:
        self._frames = frames.Reader(_decoder)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that ``data`` completes. Raises `LinkError`."""
        try:
            yield from self._frames.feed(data)
        except FrameError as error:
            raise LinkError(str(error)) from error


def receive(sock: socket.socket, reader: Reader) -> Iterator[Message]:
    """All messages until the other end hangs up, as they come. Raises `LinkError`."""
    while True:
        try:
            data = sock.recv(1 << 18)
        except OSError as error:
            raise LinkError(str(error)) from error
        if not data:
            return
        yield from reader.feed(data)
