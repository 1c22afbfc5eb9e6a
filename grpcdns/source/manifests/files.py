"""The files that ``--manifests`` stands for: those named, and all below the folders named.

Of a folder every .yaml, .yml and .json that is not hidden, at any depth. Symbolic links are
followed, and each real folder is entered once, so links that lead back end. That is how a
ConfigMap is mounted, too: ``..data``, which is hidden, is a link to the folder that is hidden, and
the files are links through it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from grpcdns.config.options import UserError

SUFFIXES: Final = (".yaml", ".yml", ".json")
MAX_FILES: Final = 20_000
MAX_FOLDERS: Final = 20_000
MAX_DEPTH: Final = 40
"""Folders inside each other."""

Stamp = tuple[int, int, int]


class Files:
    """What was found: ``paths`` in a settled order (of two objects of one name, the later wins),
    those of a named folder in ``below``, and ``unreadable`` folders and named files with why.

    Raises `UserError` for more files or folders than can be meant.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self.paths: list[Path] = []
        self.below: set[Path] = set()
        self.unreadable: dict[Path, OSError] = {}
        self._seen: set[tuple[int, int]] = set()
        for root in roots:
            try:
                is_folder = _is_folder(root)
            except OSError as error:
                self.unreadable[root] = error
                continue
            if is_folder:
                self._enter(root, root, 0)
            else:
                self.paths.append(root)
        self.paths = list(dict.fromkeys(self.paths))

    def is_lost(self, path: Path) -> bool:
        """Whether a file may still be there: it is, or is below, what cannot be read."""
        return any(path == root or root in path.parents for root in self.unreadable)

    def _enter(self, folder: Path, root: Path, depth: int) -> None:
        try:
            found = folder.stat()
            if (found.st_dev, found.st_ino) in self._seen:
                return
            self._seen.add((found.st_dev, found.st_ino))
            names = sorted(os.listdir(folder))
        except OSError as error:
            self.unreadable[folder] = error
            return
        if depth > MAX_DEPTH or len(self._seen) > MAX_FOLDERS:
            limit = f"{MAX_FOLDERS} folders" if depth <= MAX_DEPTH else f"{MAX_DEPTH} levels"
            raise UserError(f"--manifests: {root}: more than {limit}, at {folder}; name the "
                            "folders that hold manifests")  # fmt: skip
        for name in names:
            if name.startswith("."):
                continue
            path = folder / name
            if _is_folder_or_not(path):
                self._enter(path, root, depth + 1)
            elif name.endswith(SUFFIXES):
                self.paths.append(path)
                self.below.add(path)
                if len(self.paths) > MAX_FILES:
                    raise UserError(f"--manifests: {root}: more than {MAX_FILES} files; name the "
                                    "folders that hold manifests")  # fmt: skip


def stamp_of(path: Path) -> Stamp:
    """What changes when a file does. Raises OSError."""
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def read_bytes(path: Path, *, regular: bool) -> bytes:
    """Raises OSError, where ``regular`` also for anything but a file (a pipe would block)."""
    if regular and not path.is_file():
        raise OSError(0, "not a regular file")
    return path.read_bytes()


def _is_folder(path: Path) -> bool:
    """Raises OSError for what is not there."""
    path.stat()
    return path.is_dir()


def _is_folder_or_not(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a link that cannot be followed: reading it will tell
        return False
