"""Six faults of the product itself, which the checker must find: each is code that runs in
grpcdns's processes (`world`, ``plants``) and changes one function there. No option of the product
knows of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.chaos.nemesis import Planned

_DROPPED: Final = """
def plant(module):
    upsert, count = module.Broadcast.upsert, [0]
    def fewer(self, kind, *rest):
        count[0] += 1
        if count[0] % 5:
            upsert(self, kind, *rest)
    module.Broadcast.upsert = fewer
plants["grpcdns.serve.feed.broadcast"] = plant
"""

_STALE: Final = """
def plant(module):
    drop, count = module.Memo.drop, [0]
    def rarely(self, tags):
        count[0] += 1
        if count[0] % 5:
            drop(self, tags)
    module.Memo.drop = rarely
plants["grpcdns.core.memo"] = plant
"""

_UNDELETED: Final = """
def plant(module):
    delete, count = module.Broadcast.delete, [0]
    def fewer(self, kind, key):
        count[0] += 1
        if count[0] % 3:
            delete(self, kind, key)
    module.Broadcast.delete = fewer
plants["grpcdns.serve.feed.broadcast"] = plant
"""

_SWAPPED: Final = """
def plant(module):
    upsert, before, count = module.Broadcast.upsert, {}, [0]
    def swapped(self, kind, key, *rest):
        count[0] += 1
        upsert(self, kind, key, *rest)
        if count[0] % 4 == 0 and (kind, key) in before:
            upsert(self, kind, key, *before[kind, key])
        before[kind, key] = rest
    module.Broadcast.upsert = swapped
plants["grpcdns.serve.feed.broadcast"] = plant
"""

_TORN: Final = """
def plant(module):
    frames = module._frames
    def torn(file):
        try:
            yield from frames(file)
        except module.SnapshotError:
            pass
    def trusted(path, file, fingerprint):
        file.read(len(module.MAGIC))
        header = None
        for _, message in torn(file):
            header = header or message
        return module.Snapshot(path, header)
    module._frames, module._verify = torn, trusted
plants["grpcdns.source.snapshot"] = plant
"""

_CLEARING: Final = """
def plant(module):
    import time
    replace = module.Broadcast.replace
    def cleared(self, kind, objects):
        if kind in self.live:
            replace(self, kind, ())
            time.sleep(0.5)
        return replace(self, kind, objects)
    module.Broadcast.replace = cleared
plants["grpcdns.serve.feed.broadcast"] = plant
"""


class Plant(NamedTuple):
    """A fault: code, the faults of the nemesis that it needs, and what the checker calls it."""

    code: str
    needs: tuple[str, ...] = ()
    found: frozenset[str] = frozenset({"wrong", "nxdomain"})

    def schedule(self) -> Iterator[Planned]:
        for number, kind in enumerate(self.needs):
            yield Planned(number, (kind,), f"planted/{number}")


PLANTS: Final = {
    "a dropped event": Plant(_DROPPED),
    "a stale memo entry": Plant(_STALE),
    "a lost deletion": Plant(_UNDELETED),
    "swapped order": Plant(_SWAPPED),
    "a torn snapshot accepted": Plant(_TORN, ("snapshot torn",), frozenset({"nxdomain"})),
    "a relist that clears": Plant(_CLEARING, ("watch expired",), frozenset({"nxdomain"})),
}
