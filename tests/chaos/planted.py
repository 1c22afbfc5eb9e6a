"""Six faults of the product itself, which the checker must find: each is code that runs in
grpcdns's processes and changes one function there. No option of the product knows of them.

The hooks wait until a module is imported, so that no process imports what it would not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.chaos.nemesis import Planned

_HOOK: Final = """
import sys
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
class Hook(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        load = spec.loader.exec_module
        def loaded(module):
            load(module)
            plant(module)
        spec.loader.exec_module = loaded
        return spec
sys.meta_path.insert(0, Hook())
"""

_DROPPED: Final = """
MODULE = "grpcdns.serve.feed.broadcast"
def plant(module):
    upsert, count = module.Broadcast.upsert, [0]
    def fewer(self, kind, *rest):
        count[0] += 1
        if count[0] % 5:
            upsert(self, kind, *rest)
    module.Broadcast.upsert = fewer
"""

_STALE: Final = """
MODULE = "grpcdns.core.memo"
def plant(module):
    drop, count = module.Memo.drop, [0]
    def rarely(self, tags):
        count[0] += 1
        if count[0] % 5:
            drop(self, tags)
    module.Memo.drop = rarely
"""

_UNDELETED: Final = """
MODULE = "grpcdns.serve.feed.broadcast"
def plant(module):
    delete, count = module.Broadcast.delete, [0]
    def fewer(self, kind, key):
        count[0] += 1
        if count[0] % 3:
            delete(self, kind, key)
    module.Broadcast.delete = fewer
"""

_SWAPPED: Final = """
MODULE = "grpcdns.serve.feed.broadcast"
def plant(module):
    upsert, before, count = module.Broadcast.upsert, {}, [0]
    def swapped(self, kind, key, *rest):
        count[0] += 1
        upsert(self, kind, key, *rest)
        if count[0] % 4 == 0 and (kind, key) in before:
            upsert(self, kind, key, *before[kind, key])
        before[kind, key] = rest
    module.Broadcast.upsert = swapped
"""

_TORN: Final = """
MODULE = "grpcdns.source.snapshot"
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
"""

_CLEARING: Final = """
MODULE = "grpcdns.serve.feed.broadcast"
def plant(module):
    import time
    replace = module.Broadcast.replace
    def cleared(self, kind, objects):
        if kind in self.live:
            replace(self, kind, ())
            time.sleep(0.5)
        return replace(self, kind, objects)
    module.Broadcast.replace = cleared
"""


class Plant(NamedTuple):
    """A fault: code, the faults of the nemesis that it needs, and what the checker calls it."""

    code: str
    needs: tuple[str, ...] = ()
    found: frozenset[str] = frozenset({"wrong", "nxdomain"})

    @property
    def source(self) -> str:
        return self.code + _HOOK

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
