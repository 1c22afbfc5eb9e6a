"""A worker's first answers, from the snapshot: it reads the file itself, and needs no feed for it.

The feed reads the same file and says what it thinks of it; what it lists afterwards makes a
difference only where the API's state is another. A snapshot that our own feed has written is not
read: the feed has newer data.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import kept_kinds
from grpcdns.core.cluster.store import in_batches
from grpcdns.serve.worker.answerer import Answerer
from grpcdns.source import snapshot

_BATCH = 256
"""Objects in one step."""


def restore(config: Config, answerer: Answerer, began: float) -> Iterator[None]:
    """Take the objects of the snapshot that was there when this serve ``began`` (unix seconds), in
    steps; none if it cannot be used."""
    path = Path(config.snapshot)
    try:
        if path.stat().st_mtime >= began:
            return
        found = snapshot.load(path, snapshot.fingerprint(config))
        if found.age(time.time()) > config.snapshot_max_age:
            return
        answerer.set_state(found.header.contact)
        kinds = set(kept_kinds(config.policy()))
        for kind, objects in groupby(found.objects(), lambda one: one[0]):
            entries = in_batches(((key, body) for _, key, body in objects), _BATCH)
            for _ in answerer.replace(kind, entries, found.header.serial):
                yield
            kinds.discard(kind)
        for kind in sorted(kinds):  # of these there were no objects
            for _ in answerer.replace(kind, (), found.header.serial):
                pass
    except (OSError, snapshot.SnapshotError):
        return  # the feed logs why
