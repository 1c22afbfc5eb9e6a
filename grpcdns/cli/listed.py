"""A cluster, listed once: the options that say which, and its objects in an index.

    listed.add_arguments(parser)
    found = listed.read(listed.settings(args).config, 30.0)      index, zones, config

The options are those of ``grpcdns serve`` for the source and for answers, with their variables and
TOML keys: a command that runs beside a worker reads what the worker reads.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from grpcdns.cli import NotDone
from grpcdns.cli.output import TEXT
from grpcdns.cli.progress import Progress
from grpcdns.config.load import Loaded, load
from grpcdns.config.options import OPTIONS, Config
from grpcdns.core.answers.policy import Policy, Zones, kept_kinds, needed_kinds, with_networks
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import Kind
from grpcdns.core.cluster.store import Store
from grpcdns.source.kinds import WATCHED
from grpcdns.source.make import make_source
from grpcdns.source.sink import Packed
from grpcdns.source.unmatched import unmatched

log = logging.getLogger(__name__)

_GROUPS: Final = ("Where records come from", "Answers")
_LIVE_ONLY: Final = frozenset(
    {"snapshot", "snapshot-max-age", "startup-timeout", "guard", "guard-max", "hold-empty"}
)
PATIENCE: Final = 3.0
"""Seconds for an API that is unreachable to answer after all."""
OTHERS: Final = 1.0
"""Seconds for the API to say of the other kinds, too, whether they may be listed."""
OFFERED: Final = tuple(o for o in OPTIONS if o.group in _GROUPS and o.name not in _LIVE_ONLY)


@dataclass(frozen=True)
class Cluster:
    """``heard``: when the source last confirmed the data, 0.0 if unknown. ``restored``: when the
    snapshot was saved that the data is from, 0.0 if it is from none. Both in unix seconds.
    ``guard``: what was lost when the guard began to hold, "" while it does not."""

    config: Config
    index: Index
    zones: Zones
    where: str
    heard: float
    restored: float = 0.0
    guard: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the command has a flag of its own of an option's name, that flag is not the option:
    add it first."""
    parser.add_argument("--config", metavar="FILE", default="", help="read options from this file")
    groups: dict[str, argparse._ArgumentGroup] = {}
    own = {name for action in parser._actions for name in action.option_strings}
    offered = tuple(option for option in OFFERED if f"--{option.name}" not in own)
    parser.set_defaults(offered=offered)
    for option in offered:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        shown = option.show(option.default)
        text = option.help + (f" [{shown}]" if shown and option.metavar else "")
        switch = {"nargs": "?", "const": "true", "metavar": "BOOL"}
        append = {"action": "append"} if isinstance(option.default, tuple) else {}
        how = {"metavar": option.metavar, **append} if option.metavar else switch
        groups[option.group].add_argument(
            f"--{option.name}",
            help=text.replace("%", "%%"),
            **how,  # type: ignore[arg-type]
        )


def settings(args: argparse.Namespace) -> Loaded:
    """The options, from flags, variables and file."""
    flags = {o.name: given for o in args.offered if (given := getattr(args, o.field)) is not None}
    return load(flags, os.environ, args.config)


def read(config: Config, seconds: float, form: str = TEXT) -> Cluster:
    """All objects that the options ask for. ``form``: of --output, for the progress.

    Raises NotDone when they cannot be listed within ``seconds``, `UserError` for a mistake in the
    options.
    """
    from grpcdns.source.api.client import Unreachable

    source = make_source(config, once=True)
    collector = Collector(kept_kinds(config.policy()))
    try:
        with Progress("reading the cluster", form) as progress:
            collector.progress = progress
            source.start(collector)
            collector.wait(seconds)
    except Unreachable as error:
        raise NotDone(f"the Kubernetes API does not answer: {error}") from error
    finally:
        source.stop()
    for text in unmatched(collector.store.bodies, config) if not config.manifests else ():
        log.warning("%s", text)
    where = ", ".join(config.manifests) or config.kubeconfig or "the Pod's cluster"
    index = index_of(config.policy(), collector.store)
    return Cluster(config, index, zones_of(config.policy(), index), where, time.time())


def index_of(policy: Policy, store: Store) -> Index:
    """An index of the objects of a store."""
    index = Index(needed_kinds(policy))
    for kind in store.listed:
        for entries in index.store.steps(kind, [store.bodies[kind].items()]):
            index.apply_all(kind, entries, 0, set())
    return index


def zones_of(policy: Policy, index: Index) -> Zones:
    """The zones that a worker has with these objects."""
    return Zones(with_networks(policy, index.service_networks))


class Collector:
    """A `Sink` that keeps the objects of one list of every needed kind."""

    def __init__(self, needed: Iterable[Kind]) -> None:
        self.store = Store()
        self.progress: Progress | None = None
        """Shows how many objects have come."""
        self._needed = frozenset(needed)
        self._changed = threading.Condition()
        self._problems: dict[Kind | None, str] = {}
        self._end = math.inf

    def replace(self, kind: Kind, objects: Collection[Packed]) -> int:
        with self._changed:
            count = self.store.replace(kind, [(key, body) for key, body, _ in objects])
            self._problems.pop(kind, None)
            self._changed.notify_all()
            if self.progress is not None:
                self.progress.done = sum(map(len, self.store.bodies.values()))
                self.progress.detail = f"{kind.name.lower()} listed"
        return count

    def upsert(self, kind: Kind, key: str, body: bytes, triggered: float = 0.0) -> None:  # noqa: ARG002
        with self._changed:
            self.store.update(kind, [(key, body)])

    def delete(self, kind: Kind, key: str) -> None:
        with self._changed:
            self.store.update(kind, [(key, None)])

    def terminating(self, kind: Kind, key: str) -> None: ...

    def heard(self, kind: Kind) -> None: ...

    def note(self, what: str, kind: Kind | None = None, **fields: object) -> None:
        if what in ("api_lost", "forbidden"):
            with self._changed:
                self._problems[kind] = str(fields.get("error", what))
                patience = OTHERS if what == "forbidden" else PATIENCE
                self._end = min(self._end, time.monotonic() + patience)
                self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Until every needed kind is listed.

        Raises NotDone after ``seconds``; when the API has refused a kind, as a retry would not
        help, and said of all others whether it does; and `PATIENCE` seconds after the API was found
        unreachable.
        """
        end = time.monotonic() + seconds
        with self._changed:
            while not self._missing <= self._problems.keys():
                left = min(end, self._end) - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            if self._missing:
                kinds = ", ".join(WATCHED[kind].name for kind in sorted(self._missing))
                why = "; ".join(dict.fromkeys(self._problems.values())) or "no list yet"
                raise NotDone(f"{kinds} cannot be read: {why}")

    @property
    def _missing(self) -> frozenset[Kind]:
        return self._needed - self.store.listed
