"""The private run folder (0700) in which the processes of one ``grpcdns serve`` find each other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from grpcdns.config.options import Config, UserError

_LONGEST: Final = 107 - len("/probe-99999.sock")
"""The longest path of the folder: a unix socket's path has 107 bytes at most."""


class ProcessState(msgspec.Struct, frozen=True):
    """A process as the supervisor sees it; ``pid`` is 0 while it does not run, ``since`` unix
    seconds."""

    pid: int
    restarts: int
    since: float


class Supervision(msgspec.Struct, frozen=True):
    """All processes by name, and the outcome of the last reload: whether it took the configuration,
    and when the one in use was taken (unix seconds)."""

    processes: dict[str, ProcessState]
    reload_successful: bool = True
    configured: float = 0.0


class RunDir:
    """Its paths, and its files, which only the supervisor writes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.link = str(self.path / "feed.sock")

    @classmethod
    def make(cls) -> RunDir:
        """A new folder in $XDG_RUNTIME_DIR, $TMPDIR or /tmp, the first that works. Raises
        `UserError`."""
        name, why = f"grpcdns-{os.urandom(6).hex()}", ""
        for parent in (os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp"):  # noqa: S108 - the folder in it is private
            path = os.path.join(parent or "", name)
            if not parent or len(os.fsencode(path)) > _LONGEST:
                continue
            try:
                os.mkdir(path, 0o700)
            except OSError as error:
                why = why or f"{parent}: {(error.strerror or str(error)).lower()}"
            else:
                return cls(path)
        raise UserError(f"{why}; set TMPDIR to a folder that can be written to")

    def probe(self, worker: int) -> str:
        """A worker's private socket, for its probe alone."""
        return str(self.path / f"probe-{worker}.sock")

    def config(self) -> Config:
        return Config.from_json((self.path / "config.json").read_bytes())

    def write_config(self, config: Config) -> None:
        self._write("config.json", config.to_json())

    def configured(self) -> float:
        """When the options were written (unix seconds): at the start, and at each reload."""
        return (self.path / "config.json").stat().st_mtime

    def supervision(self) -> Supervision:
        """What the supervisor last wrote; nothing when it has not yet."""
        try:
            found = (self.path / "processes.json").read_bytes()
            return msgspec.json.decode(found, type=Supervision)
        except (OSError, msgspec.DecodeError):
            return Supervision({})

    def write_supervision(self, supervision: Supervision) -> None:
        self._write("processes.json", msgspec.json.encode(supervision))

    def remove(self) -> None:
        """Remove it with its files and sockets; there are no folders in it."""
        for path in self.path.iterdir():
            path.unlink(missing_ok=True)
        self.path.rmdir()

    def _write(self, name: str, content: bytes) -> None:
        """Replace a file atomically, mode 0600."""
        new = self.path / f"{name}.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        new.replace(self.path / name)
