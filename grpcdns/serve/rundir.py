"""The private run folder (0700): what the processes of one ``grpcdns serve`` find each other by."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from grpcdns.config import Config, UserError


class RunDir:
    """Paths in the folder, and the files that only the supervisor writes."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.link = str(self.path / "feed.sock")

    @classmethod
    def make(cls) -> RunDir:
        """A new one, under $XDG_RUNTIME_DIR or the system's temporary folder."""
        parent = os.environ.get("XDG_RUNTIME_DIR")
        if not parent or not os.access(parent, os.W_OK | os.X_OK):
            parent = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - the folder in it is private
        path = os.path.join(parent, f"grpcdns-{os.urandom(6).hex()}")
        try:
            os.mkdir(path, 0o700)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; set TMPDIR to a writable folder") from error
        return cls(path)

    def probe(self, worker: int) -> str:
        """A worker's own socket, for the probe and for nobody else."""
        return str(self.path / f"probe-{worker}.sock")

    def config(self) -> Config:
        return Config.from_json((self.path / "config.json").read_bytes())

    def write_config(self, config: Config) -> None:
        self._write("config.json", config.to_json())

    def processes(self) -> dict[str, dict[str, Any]]:
        """The supervisor's view of the processes, by name: pid, restarts, since."""
        try:
            found = msgspec.json.decode((self.path / "processes.json").read_bytes())
        except (OSError, msgspec.DecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def write_processes(self, processes: dict[str, dict[str, Any]]) -> None:
        self._write("processes.json", msgspec.json.encode(processes))

    def remove(self) -> None:
        """With all that is in it; it has no folders."""
        for path in self.path.iterdir():
            path.unlink(missing_ok=True)
        self.path.rmdir()

    def _write(self, name: str, content: bytes) -> None:
        """At once or not at all, mode 0600."""
        new = self.path / f"{name}.new"
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        new.replace(self.path / name)
