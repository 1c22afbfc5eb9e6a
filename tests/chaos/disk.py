"""A small disk for snapshots that can be full: a tmpfs in a user and mount namespace, so that no
right is needed and nothing is left behind. Others reach it through the process that holds it.

Where the machine permits no such namespace, the disk is a plain folder and cannot be full.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from harness.process import Process, ProcessError

SIZE: Final = 8 << 20
_HOLD: Final = 'mount -t tmpfs -o size="$2" none "$1" && touch "$1"/.mounted && exec sleep infinity'


class Disk:
    """``folder`` is where to write, between `start` and `stop`."""

    def __init__(self, place: Path) -> None:
        place.mkdir()
        self.folder = self._place = place
        self._holder = Process(
            ["unshare", "--map-root-user", "--user", "--mount", "sh", "-c", _HOLD, "sh",
             place, str(SIZE)],
            log=place.with_suffix(".log"),
        )  # fmt: skip

    def start(self) -> None:
        try:
            self._holder.start(self._is_mounted)
            self.folder = self._inside
        except ProcessError:
            self.folder = self._place

    def stop(self) -> None:
        self._holder.kill()

    @property
    def may_be_full(self) -> bool:
        return self.folder != self._place

    def fill(self) -> None:
        """Nothing more can be written: ENOSPC."""
        with (self.folder / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(SIZE)):
                    pass
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)

    def _is_mounted(self) -> bool:
        return (self._inside / ".mounted").exists()

    @property
    def _inside(self) -> Path:
        return Path(f"/proc/{self._holder.pid}/root{self._place}")
