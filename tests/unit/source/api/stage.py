"""A Watch of a FakeApi, with everything passed in.

    outcome = play([lists(service("a"), version="10"), watches(added("b", "11"))])

`play` runs one Watch in this thread until a request comes after the end of the script: it stops the
client then and returns what happened. Nothing waits: the clock is a FakeClock, whose sleeps return
at once, and which only a step or a sleep advances.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from grpcdns.config.options import UserError
from grpcdns.core.cluster.objects import Kind, Object, unpack
from grpcdns.core.cluster.store import Store
from grpcdns.source.api.client import Client
from grpcdns.source.api.decode import Decoder
from grpcdns.source.api.journal import Journal
from grpcdns.source.api.login import Login
from grpcdns.source.api.throttle import Throttle
from grpcdns.source.api.watch import Resource, Watch
from grpcdns.source.sink import Packed
from tests.unit.source.api.fake_api import FakeApi, Request, Step
from tests.unit.source.fake_clock import FakeClock


class RecordingSink:
    """A sink that keeps a Store and a list of its calls."""

    def __init__(self) -> None:
        self.store = Store()
        self.calls: list[str] = []
        self.notes: list[tuple[str, dict[str, object]]] = []
        self.heard_count = 0
        self.same: list[str] = []

    def replace(self, kind: Kind, objects: Any) -> int:
        packed: list[Packed] = list(objects)
        keys = [key for key, _, _ in packed]
        assert len(keys) == len(set(keys))
        same = [key for key, body, _ in packed if body is None]
        assert set(same) <= self.store.bodies[kind].keys()
        self.same.append(" ".join(map(_short, same)))
        self.calls.append(f"replace {' '.join(sorted(map(_short, keys)))}".strip())
        pairs = [(key, body) for key, body, _ in packed]
        return self.store.replace(kind, pairs)

    def upsert(self, kind: Kind, key: str, body: bytes, triggered: float = 0.0) -> None:  # noqa: ARG002
        self.calls.append(f"upsert {_short(key)}")
        self.store.update(kind, [(key, body)])

    def delete(self, kind: Kind, key: str) -> None:
        self.calls.append(f"delete {_short(key)}")
        self.store.update(kind, [(key, None)])

    def terminating(self, kind: Kind, key: str) -> None:  # noqa: ARG002
        self.calls.append(f"terminating {_short(key)}")

    def heard(self, kind: Kind) -> None:  # noqa: ARG002
        self.heard_count += 1

    def note(self, what: str, kind: Kind | None = None, **fields: object) -> None:  # noqa: ARG002
        self.notes.append((what, fields))

    def noted(self, what: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.notes if name == what]

    def names(self, kind: Kind = Kind.SERVICE) -> str:
        return " ".join(sorted(map(_short, self.store.bodies[kind])))

    def get(self, name: str, kind: Kind = Kind.SERVICE) -> Object:
        return self.get_key(kind, f"ns/{name}")

    def get_key(self, kind: Kind, key: str) -> Object:
        return unpack(kind, self.store.bodies[kind][key])


def _short(key: str) -> str:
    return key.removeprefix("ns/")


@dataclass
class Outcome:
    """What happened while a script was played."""

    requests: list[str]
    raw: list[Request]
    sink: RecordingSink
    sleeps: list[float]
    watch: Watch


@dataclass
class Stage:
    """A Watch of a FakeApi, with everything passed in."""

    script: Sequence[Step]
    kind: Kind = Kind.SERVICE
    streaming: bool = False
    chance: float = 0.0
    read_timeout: float = 5.0
    selectors: dict[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    most_logins: int = 1000

    def __post_init__(self) -> None:
        self.clock = FakeClock(self.chance)
        self.api = FakeApi(self.script, self.clock)
        self.api.finished = self.stop
        self.sink = RecordingSink()
        self.logins = 0
        self.client = Client(
            self._login, Throttle(self.clock), connect_timeout=2, read_timeout=self.read_timeout
        )
        self.journal = Journal(self.sink, self.clock)
        self.watch = Watch(
            Resource("/api/v1/services", self.selectors, self.others),
            Decoder(self.kind),
            self.client,
            self.sink,
            self.journal,
            self.clock,
            streaming=self.streaming,
            streaming_first=self.streaming,
        )

    def run(self) -> Outcome:
        try:
            self.watch.run()
        finally:
            self.api.stop()
        requests = list(map(str, self.api.requests))
        return Outcome(requests, self.api.requests, self.sink, self.clock.sleeps, self.watch)

    @contextmanager
    def running(self) -> Iterator[None]:
        """The Watch in a thread, stopped at the end."""
        thread = threading.Thread(target=self.watch.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stop()
            thread.join(5)
            self.api.stop()
        assert not thread.is_alive()

    def stop(self) -> None:
        self.clock.stopped = True
        self.client.stop()

    def _login(self) -> Login:
        if self.logins == self.most_logins:
            raise UserError("no credentials")
        self.logins += 1
        return Login(self.api.url, f"Bearer token-{self.logins}")


def play(script: Sequence[Step], **options: Any) -> Outcome:
    """Runs a Watch to the end of a script."""
    return Stage(script, **options).run()


UNREACHABLE: Final = 0.5
"""The delay between tries where nothing answers, without its jitter."""
BACKOFF: Final = [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]
"""The delays between tries, without their jitter."""
