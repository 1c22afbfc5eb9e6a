"""A cluster's objects from files: YAML or JSON as kubectl prints them, followed on disk.

    Manifests(config).start(sink)   raises UserError, naming file and line, when nothing can be read
                     .stop()

``--manifests`` names files and folders (see files.py). What a cluster would have made of the
objects is made here: slices (see controllers.py), and defaults (a port's protocol). A Namespace
that objects are in but nobody declared is there all the same: without it, each of their names
would be NXDOMAIN, and ``kubectl get services`` prints no namespaces.

What is wrong in a file is logged with its line, and the rest is served, as ``kubectl apply`` would
take it; ``--strict`` refuses at the start. A file that is named and cannot be read ends the start;
in a folder, which may be a Git tree, the other files are served.

A file that cannot be read *later* keeps the last good state of what was in it, an object that the
API would refuse its own. Files are looked at every 0.2 s and read when they have been the same
twice, so that one being written is not taken for a shorter one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

from grpcdns.config.options import Config, UserError
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind
from grpcdns.histogram import Sample
from grpcdns.source.clock import WallClock
from grpcdns.source.kinds import Fields
from grpcdns.source.manifests.assembled import assemble
from grpcdns.source.manifests.documents import read_documents
from grpcdns.source.manifests.files import SUFFIXES, Files, Stamp, read_bytes, stamp_of
from grpcdns.source.manifests.mistakes import Mistakes
from grpcdns.source.manifests.objects import Entry, Key, Refused, to_entry
from grpcdns.source.manifests.values import ManifestError
from grpcdns.source.scope import fields_of, kinds_of
from grpcdns.source.sink import Packed, Sink
from grpcdns.source.unmatched import unmatched

log = logging.getLogger("grpcdns.source")

POLL: Final = 0.2
PROGRESS: Final = 5.0
"""Seconds between two lines about a file that is still being read."""
_BETWEEN_CHECKS: Final = 256


class Contents(NamedTuple):
    """What was read of a file. ``refused``: objects that cannot be read; ``objects`` counts the
    others, those included that DNS has no use for; ``error``: where reading ended, if not at the
    end."""

    entries: tuple[Entry, ...]
    refused: frozenset[Key]
    mistakes: Mistakes
    objects: int
    error: ManifestError | None


class _Stopped(Exception):
    """The source was stopped while it read a file."""


class _File:
    """A file as last seen (``stamp``) and as last read."""

    def __init__(self) -> None:
        self.stamp: Stamp | None = None
        self.settled: Stamp | None = None
        self.entries: tuple[Entry, ...] = ()
        self.wrong = ""
        """Why it could not be read, or its first mistake."""


class Manifests:
    """The source behind ``--manifests``."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._policy = config.policy()
        self._roots = [Path(path) for path in config.manifests]
        self._files: dict[Path, _File] = {}
        self._clock = WallClock()
        self._thread: threading.Thread | None = None
        self._sink: Sink | None = None
        self._again = False
        self._reread = False
        self._lost: set[Path] = set()
        self._complaint = ""

    def start(self, sink: Sink) -> None:
        """Reads everything, then follows it in a thread. Raises UserError."""
        self._sink = sink
        try:
            self.read(sink)
        except _Stopped:
            return
        self._thread = threading.Thread(target=self._follow, name="source-manifests", daemon=True)
        self._thread.start()

    def samples(self) -> Iterable[Sample]:
        """None: the events are counted where all sources' are."""
        return ()

    def read(self, sink: Sink) -> None:
        """Reads everything. Raises UserError."""
        files = Files(self._roots)
        problems = [text for root, error in files.unreadable.items()
                    for text in self._unreadable(root, error, root not in self._roots)]  # fmt: skip
        objects = 0
        for path in files.paths:
            file = self._files[path] = _File()
            try:
                file.stamp = file.settled = stamp_of(path)
                contents = self._contents(path, path in files.below)
            except OSError as error:
                problems += self._unreadable(path, error, path in files.below)
                file.stamp = file.settled = None
                file.wrong = error.strerror or str(error)
                continue
            if contents.error is not None and path not in files.below:
                raise UserError(f"--manifests: {path}: {contents.error}") from contents.error
            file.entries = contents.entries
            objects += contents.objects
            mistakes = self._mistakes(path, contents, sink)
            file.wrong = "".join(mistakes[:1])
            problems += mistakes
        self._lost = set(files.unreadable)
        if problems and not objects:
            raise UserError(f"--manifests: {problems[0]}")
        found = self._assemble()
        if not any(file.entries for file in self._files.values()):
            problems.append(f"{', '.join(map(str, self._roots))}: {_nothing(files, objects)}")
            self._warn(problems[-1])
        for text in unmatched(found, self._config):
            problems.append(text)
            self._warn(text)
        if problems and self._config.strict:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise UserError(f"--strict: {problems[0]}{more}")
        self._give(found, sink)

    def stop(self) -> None:
        """Follows no more."""
        self._clock.stop()
        if self._thread is not None:
            self._thread.join()

    def set_policy(self, policy: Policy) -> None:
        """New options for answers. The files are read again when more of them is needed."""
        self._reread |= fields_of(policy) != fields_of(self._policy)
        self._policy = policy
        self._again = True

    def poll(self, sink: Sink) -> bool:
        """Looks once at the files, and gives the sink what has changed; whether anything had."""
        again, self._again = self._again, False
        reread, self._reread = self._reread, False
        if reread:
            for file in self._files.values():
                file.settled = None
        files = self._find()
        paths = files.paths
        if files.unreadable:
            lost = [path for path in self._files if files.is_lost(path)]
            paths = list(dict.fromkeys([*lost, *paths]))
        gone = self._files.keys() - set(paths)
        for path in gone:
            if self._files[path].wrong:
                log.info("manifests: %s: no longer there", path)
        news = [path for path in paths if self._look(path, path in files.below, sink)]
        self._files = {path: self._files[path] for path in paths}
        if news or gone or again:
            self._give(self._assemble(), sink)
            return True
        for kind in kinds_of(self._policy):
            sink.heard(kind)
        return False

    def _follow(self) -> None:
        pause = POLL
        while self._clock.sleep(pause):
            began = self._clock.now()
            try:
                self.poll(self._sink)  # type: ignore[arg-type]
            except _Stopped:
                return
            except Exception as error:
                if str(error) != self._complaint:  # it comes again with each look
                    self._complaint = str(error)
                    fault = None if isinstance(error, UserError) else error
                    log.error("manifests: %s; the last good state is kept", error, exc_info=fault)
            else:
                if self._complaint:
                    log.info("manifests: read again")
                self._complaint = ""
            pause = max(POLL, 10 * (self._clock.now() - began))

    def _find(self) -> Files:
        """Raises UserError. Folders that cannot be read are named once."""
        files = Files(self._roots)
        for path in files.unreadable.keys() - self._lost - self._files.keys():
            self._warn(
                f"{path}: {files.unreadable[path].strerror}; its files keep their last good state"
            )
        for path in self._lost - files.unreadable.keys():
            if path.is_dir():
                _log_read_again(path)
        self._lost = set(files.unreadable)
        return files

    def _look(self, path: Path, in_folder: bool, sink: Sink) -> bool:
        """Reads one file if it has changed and come to rest; whether its objects may differ."""
        file = self._files.setdefault(path, _File())
        try:
            stamp = stamp_of(path)
            if stamp != file.stamp:
                file.stamp = stamp
                return False
            if stamp == file.settled:
                return False
            file.settled = stamp
            contents = self._contents(path, in_folder)
        except OSError as error:
            file.stamp = file.settled = None
            text = error.strerror or str(error)
            if file.wrong != text:
                file.wrong = text
                self._keep(path, text, sink)
            return False
        was_wrong, file.wrong = file.wrong, str(contents.error or "")
        if contents.error is not None and file.entries:
            self._keep(path, str(contents.error), sink)
            return False
        mistakes = self._mistakes(path, contents, sink)
        file.wrong = "".join(mistakes[:1])
        if mistakes and self._config.strict:
            self._keep(path, "mistakes, which --strict refuses", sink)
            return False
        if was_wrong and not file.wrong:
            _log_read_again(path)
        kept = [entry for entry in file.entries if entry.key in contents.refused]
        file.entries = (*kept, *contents.entries)
        return True

    def _contents(self, path: Path, in_folder: bool) -> Contents:
        """Raises OSError."""
        data = read_bytes(path, regular=in_folder)
        return read_contents(data, fields_of(self._policy), _Watched(path, len(data), self._clock))

    def _keep(self, path: Path, text: str, sink: Sink) -> None:
        """The last good state of a file stays; the log gets a line, once for each change of it."""
        log.warning("manifests: %s: %s; its last good state is kept", path, text)
        sink.note("manifest_error", None, path=str(path), error=text)

    def _mistakes(self, path: Path, contents: Contents, sink: Sink) -> list[str]:
        """What is wrong in a file, logged."""
        texts = [f"{path}: {line}" for line in contents.mistakes.lines()]
        for text in texts:
            self._warn(text)
        if texts:
            sink.note("manifest_error", None, path=str(path), error=texts[0])
        return texts

    def _unreadable(self, path: Path, error: OSError, in_folder: bool) -> list[str]:
        """At the start. Raises UserError for what was named."""
        text = f"{path}: {error.strerror or error}"
        if not in_folder:
            raise UserError(f"--manifests: {text}") from error
        self._warn(f"{text}; skipped")
        return [text]

    def _warn(self, text: str) -> None:
        log.warning("manifests: %s", text)

    def _assemble(self) -> dict[Kind, dict[str, Packed]]:
        entries = chain.from_iterable(file.entries for file in self._files.values())
        return assemble(entries, self._config, self._policy)

    def _give(self, found: dict[Kind, dict[str, Packed]], sink: Sink) -> None:
        began = self._clock.now()
        for kind, objects in found.items():
            changes = sink.replace(kind, objects.values())
            seconds = self._clock.now() - began
            sink.note(
                "list", kind, objects=len(objects), changes=changes, seconds=seconds, how="files"
            )


def _log_read_again(path: Path) -> None:
    log.info("manifests: %s: read again, nothing wrong with it now", path)


class _Watched:
    """A file being read: says how far it has come, and ends when the source is stopped."""

    def __init__(self, path: Path, size: int, clock: WallClock) -> None:
        self._path = path
        self._size = size
        self._clock = clock
        self._due = clock.now() + PROGRESS

    def __call__(self, objects: int) -> None:
        if not self._clock.sleep(0):
            raise _Stopped
        if self._clock.now() >= self._due:
            self._due += PROGRESS
            log.info(
                "manifests: reading %s (%.1f MB): %d objects so far",
                self._path, self._size / 1e6, objects,
            )  # fmt: skip


def read_contents(
    data: bytes, fields: Fields, watched: Callable[[int], None] | None = None
) -> Contents:
    """The objects of a file's bytes, and what is wrong with them. ``watched`` is called now and
    then with the number of objects so far."""
    mistakes = Mistakes()
    entries: list[Entry] = []
    refused: set[Key] = set()
    objects = whole = number = 0
    error = None
    try:
        for seen, document in enumerate(read_documents(data, mistakes.left), 1):
            if document.number != number:
                number, whole = document.number, len(entries)
            if watched is not None and seen % _BETWEEN_CHECKS == 0:
                watched(seen)
            left_out = mistakes.left_out
            found = to_entry(document, fields, mistakes)
            objects += mistakes.left_out == left_out
            if isinstance(found, Refused):
                refused.add(found.key)
            elif found is not None:
                entries.append(found)
    except ManifestError as caught:
        error = ManifestError(caught.line, f"{caught.problem}; {_advice(data)}", caught.number)
        mistakes.end(error.line, f"{error.problem}; the rest of the file is not read")
        if error.number == number:  # of a document that is broken, nothing is taken
            del entries[whole:]
    return Contents(tuple(entries), frozenset(refused), mistakes, objects, error)


def _advice(data: bytes) -> str:
    """What to do about a file that cannot be read."""
    if b"{{" in data:
        return "if it is a Helm template, render it first (helm template)"
    return "correct the file or leave it out"


def _nothing(files: Files, objects: int) -> str:
    if not files.paths:
        return f"no file ends in {', '.join(SUFFIXES)}"
    if not objects:
        return "no objects in the files"
    return f"{objects} objects, none of a kind that DNS reads"
