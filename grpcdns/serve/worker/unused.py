"""Modules that grpcio imports and a worker does not use: each is loaded when something uses it.

grpcio imports its asyncio interface, and asyncio for it: a sixth of what a worker imports. Only
look-ups at the upstream use asyncio.
"""

from __future__ import annotations

import logging
import sys
import threading
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any


def load_when_used() -> None:
    """Call it before grpc is imported, in a worker only."""
    grpc = find_spec("grpc")
    if grpc is not None:
        _delay(PathFinder.find_spec("grpc.aio", grpc.submodule_search_locations))
    _delay(find_spec("asyncio"))
    # Python 3.12 and newer ask asyncio for the task that logs a line.
    logging.logAsyncioTasks = False  # type: ignore[attr-defined, unused-ignore]


def _delay(spec: ModuleSpec | None) -> None:
    if spec is not None and spec.loader is not None and spec.name not in sys.modules:
        sys.modules[spec.name] = _Module(spec)


class _Module(ModuleType):
    """Becomes the module when an attribute is used. `importlib.util.LazyLoader` makes one that is
    loaded by a mere import, which looks at ``__spec__``."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__dict__["_awaited"] = spec
        self.__dict__["_loading"] = threading.RLock()

    def __getattr__(self, name: str) -> Any:
        found = self.__dict__
        with found["_loading"]:
            spec = found.pop("_awaited", None)
            if spec is not None:
                found.update(module_from_spec(spec).__dict__)
                spec.loader.exec_module(self)
        try:
            return found[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None
