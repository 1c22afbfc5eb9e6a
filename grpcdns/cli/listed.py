"""A cluster, read once: the options that say which, and its objects in an index.

    cluster.add_arguments(parser)
    found = cluster.load(args)        index, zones, config

The options are those of ``grpcdns serve`` that say where records come from and what answers are
like, with their variables and TOML keys; so a command run beside a worker sees what it sees.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from grpcdns.cli import NotDone
from grpcdns.config import values
from grpcdns.config.load import Loaded, load
from grpcdns.config.options import OPTIONS, Config, UserError
from grpcdns.core.answers.policy import Policy, Zones, needed_kinds
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import Kind
from grpcdns.source.make import make_source
from grpcdns.source.sink import Packed

_GROUPS: Final = ("Where records come from", "Answers")
_LIVE_ONLY: Final = frozenset({"snapshot", "snapshot-max-age", "startup-timeout"})
OFFERED: Final = tuple(o for o in OPTIONS if o.group in _GROUPS and o.name not in _LIVE_ONLY)


@dataclass(frozen=True)
class Cluster:
    """``heard``: when its data was heard from last, in unix seconds; ``restored``: when the
    snapshot that it is from was saved, 0.0 for live data."""

    config: Config
    index: Index
    zones: Zones
    where: str
    heard: float
    restored: float = 0.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", default="", help="read options from this file")
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in OFFERED:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        shown = option.show(option.default)
        text = option.help + (f" [{shown}]" if shown and option.metavar else "")
        switch = {"nargs": "?", "const": "true", "metavar": "BOOL"}
        action = {"action": "append"} if isinstance(option.default, tuple) else {}
        how = {"metavar": option.metavar, **action} if option.metavar else switch
        groups[option.group].add_argument(
            f"--{option.name}",
            help=text.replace("%", "%%"),
            **how,  # type: ignore[arg-type]
        )


def settings(args: argparse.Namespace) -> Loaded:
    """The options as flags, variables and file give them."""
    flags = {o.name: given for o in OFFERED if (given := getattr(args, o.field)) is not None}
    return load(flags, os.environ, args.config)


def read(config: Config, seconds: float) -> Cluster:
    """All objects that the options ask for, listed once. Raises NotDone when they are not to be
    had within ``seconds``, `UserError` when the options make no sense."""
    source = make_source(config)
    collector = Collector(needed_kinds(config.policy()))
    try:
        source.start(collector)
        collector.wait(seconds)
    finally:
        source.stop()
    where = ", ".join(config.manifests) or config.kubeconfig or "the Pod's cluster"
    index = index_of(config.policy(), collector.objects)
    return Cluster(config, index, Zones(config.policy()), where, time.time())


def index_of(policy: Policy, objects: dict[Kind, dict[str, bytes]]) -> Index:
    index = Index(needed_kinds(policy))
    for kind, bodies in objects.items():
        for entries in index.store.steps(kind, [bodies.items()]):
            index.apply_all(kind, entries, 0, set())
    return index


def seconds(text: str) -> float:
    """``--timeout``."""
    try:
        return float(values.duration(0.001, 3600)(text))
    except ValueError as error:
        raise UserError(f"--timeout: {error}") from error


class Collector:
    """A `Sink` that keeps what it is given until every needed kind is listed."""

    def __init__(self, needed: Iterable[Kind]) -> None:
        self.objects: dict[Kind, dict[str, bytes]] = {}
        self._needed = frozenset(needed)
        self._changed = threading.Condition()
        self._problems: dict[Kind | None, str] = {}
        self._refused = False

    def replace(self, kind: Kind, objects: Collection[Packed]) -> int:
        with self._changed:
            known = self.objects.get(kind, {})
            self.objects[kind] = {
                key: known[key] if body is None else body for key, body, _ in objects
            }
            self._changed.notify_all()
        return len(objects)

    def upsert(self, kind: Kind, key: str, body: bytes, triggered: float = 0.0) -> None:  # noqa: ARG002
        with self._changed:
            self.objects.setdefault(kind, {})[key] = body

    def delete(self, kind: Kind, key: str) -> None:
        with self._changed:
            self.objects.get(kind, {}).pop(key, None)

    def heard(self, kind: Kind) -> None: ...

    def note(self, what: str, kind: Kind | None = None, **fields: object) -> None:
        if what in ("api_lost", "forbidden"):
            with self._changed:
                self._problems[kind] = str(fields.get("error", what))
                self._refused |= what == "forbidden"
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Until every needed kind is listed. Raises NotDone after ``seconds``, or when the API
        refuses a kind: asking again will not help."""
        with self._changed:
            self._changed.wait_for(lambda: self._refused or not self._missing, seconds)
            if self._missing:
                kinds = ", ".join(sorted(kind.name.lower() for kind in self._missing))
                why = "; ".join(dict.fromkeys(self._problems.values())) or "no list yet"
                raise NotDone(f"{kinds} cannot be read: {why}")

    @property
    def _missing(self) -> frozenset[Kind]:
        return self._needed - self.objects.keys()
