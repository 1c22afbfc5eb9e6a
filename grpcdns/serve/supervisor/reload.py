"""The options while `grpcdns serve` runs: which of them a reload changes, and when the file has."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Final

import msgspec

from grpcdns.config.options import OPTIONS, Config, UserError

_log = logging.getLogger(__name__)

_EVERY: Final = 1.0
"""Seconds between two looks at the file."""


class Options:
    """``config`` is in use; ``read`` reads the options again (None: they never change), ``file`` is
    the configuration file to watch ("" for none)."""

    def __init__(self, config: Config, read: Callable[[], Config] | None, file: str) -> None:
        self.config = config
        self.since = time.time()
        """When ``config`` was read, in unix seconds."""
        self.successful = True
        """Whether the latest reload succeeded."""
        self._read = read
        self._file = file
        self._seen = _signature(file)
        self._due = 0.0

    def has_changed(self) -> bool:
        """Whether the file is another than at the last look; called often, looks once a second."""
        now = time.monotonic()
        if not self._file or now < self._due:
            return False
        self._due = now + _EVERY
        before, self._seen = self._seen, _signature(self._file)
        return self._seen != before

    def reload(self) -> bool:
        """Use new values of the options that can be reloaded, log the others that have changed;
        returns whether the options could be read."""
        if self._read is None:
            return True
        try:
            new = self._read()
        except UserError as error:
            _log.error("configuration not reloaded: %s", error)
            self.successful = False
        else:
            self.config = _merge(self.config, new)
            self.successful, self.since = True, time.time()
        return self.successful


def _merge(old: Config, new: Config) -> Config:
    """``old`` with the options of ``new`` that can be reloaded."""
    taken = {}
    for option in OPTIONS:
        value = getattr(new, option.field)
        if value == getattr(old, option.field):
            continue
        if option.reload:
            taken[option.field] = value
        else:
            _log.warning("%s has changed: it takes effect at the next start", option.name)
    return msgspec.structs.replace(old, **taken)


def _signature(path: str) -> tuple[int, ...]:
    """What changes when the file does; () when there is none."""
    if not path:
        return ()
    try:
        info = os.stat(path)
    except OSError:
        return ()
    return info.st_dev, info.st_ino, info.st_mtime_ns, info.st_size
