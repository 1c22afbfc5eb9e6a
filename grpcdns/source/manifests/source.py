"""A cluster's objects from files: YAML or JSON as kubectl prints them, followed on disk.

    Manifests(config).start(sink)   raises UserError, naming file and line, when one cannot be read
                     .stop()

``--manifests`` names files and folders; of a folder, every .yaml, .yml and .json below it that is
not hidden. Kinds that DNS has no use for are passed over. What a cluster would have made of the
objects is made here: slices (see controllers.py), and defaults (a port's protocol). A Namespace
that objects are in but nobody declared is there all the same: without it, each of their names
would be NXDOMAIN, and ``kubectl get services`` prints no namespaces.

A file that cannot be read *later* keeps the last good state of what was in it, and the log gets
one line. Files are looked at every 0.2 s and read when they have been the same twice, so that one
being written is not taken for a shorter one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from grpcdns.config.options import Config, UserError
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind, Namespace, key_of, pack
from grpcdns.source.clock import WallClock
from grpcdns.source.kinds import (
    NO_META,
    SERVICE_NAME,
    WATCHED,
    ApiAny,
    ApiEndpointSlice,
    ApiPort,
    ApiServiceImport,
    Fields,
    pod_is_finished,
)
from grpcdns.source.manifests.controllers import (
    ManifestEndpoints,
    ManifestPod,
    ManifestService,
    make_slices,
)
from grpcdns.source.manifests.documents import Document, ManifestError, find_line, read_documents
from grpcdns.source.scope import fields_of, kinds_of
from grpcdns.source.sink import Packed, Sink

log = logging.getLogger("grpcdns.source")

POLL: Final = 0.2
SUFFIXES: Final = (".yaml", ".yml", ".json")
_FOR_CONTROLLERS: Final[dict[str, type[ApiAny]]] = {
    "Service": ManifestService,
    "Endpoints": ManifestEndpoints,
    "Pod": ManifestPod,
}
"""Kinds of which the controllers look at more than the labels."""
TYPES: Final[dict[str, type[ApiAny]]] = {
    **{watched.name: watched.shape for watched in WATCHED.values()},
    **_FOR_CONTROLLERS,
}
"""What is read of each kind; all others are passed over."""
_BY_NAME: Final = {watched.name: (kind, watched) for kind, watched in WATCHED.items()}

Stamp = tuple[int, int, int]


class Entry(NamedTuple):
    """One object of a file: as it is written, or packed already (``raw`` is what it is then without
    its contents) where the controllers do not look at it."""

    kind: str
    raw: ApiAny
    body: bytes | None = None


class _File:
    """A file as last seen (``stamp``) and as last read."""

    def __init__(self) -> None:
        self.stamp: Stamp | None = None
        self.settled: Stamp | None = None
        self.entries: tuple[Entry, ...] = ()
        self.broken = False


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

    def start(self, sink: Sink) -> None:
        """Reads everything, then follows it in a thread. Raises UserError."""
        self._sink = sink
        self.read(sink)
        self._thread = threading.Thread(target=self._follow, name="source-manifests", daemon=True)
        self._thread.start()

    def read(self, sink: Sink) -> None:
        """Reads everything. Raises UserError."""
        for path in self._paths(strict=True):
            file = self._files[path] = _File()
            try:
                file.stamp = file.settled = _stamp(path)
                file.entries = read_file(path, fields_of(self._policy))
            except ManifestError as error:
                raise UserError(f"--manifests: {path}: {error}") from error
            except OSError as error:
                raise UserError(f"--manifests: {path}: {error.strerror}") from error
        self._publish(sink)

    def stop(self) -> None:
        """Follows no more."""
        self._clock.stop()
        if self._thread is not None:
            self._thread.join()

    def set_policy(self, policy: Policy) -> None:
        """New options for answers: what they need may be more than was kept of the files."""
        self._policy = policy
        self._again = True

    def poll(self, sink: Sink) -> bool:
        """Looks once at the files, and gives the sink what has changed; whether anything had."""
        again, self._again = self._again, False
        if again:
            for file in self._files.values():
                file.settled = None
        paths = self._paths(strict=False)
        gone = self._files.keys() - set(paths)
        for path in gone:
            del self._files[path]
        news = [path for path in paths if self._look(path, sink)]
        if news or gone or again:
            self._publish(sink)
            return True
        for kind in kinds_of(self._policy):
            sink.heard(kind)
        return False

    def _follow(self) -> None:
        while self._clock.sleep(POLL):
            try:
                self.poll(self._sink)  # type: ignore[arg-type]
            except Exception:
                log.exception("manifests: reading them failed; the last good state stays")

    def _look(self, path: Path, sink: Sink) -> bool:
        """Reads one file if it has changed and come to rest; whether its objects may differ."""
        file = self._files.setdefault(path, _File())
        try:
            stamp = _stamp(path)
            if stamp != file.stamp:
                file.stamp = stamp
                return False
            if stamp == file.settled:
                return False
            file.settled = stamp
            file.entries = read_file(path, fields_of(self._policy))
        except (ManifestError, OSError) as error:
            self._keep(path, file, error, sink)
            return False
        if file.broken:
            log.info("manifests: %s can be read again", path)
        file.broken = False
        return True

    def _keep(self, path: Path, file: _File, error: Exception, sink: Sink) -> None:
        """The last good state of a file stays; the log gets a line, once for each change of it."""
        text = (error.strerror or "") if isinstance(error, OSError) else str(error)
        if isinstance(error, OSError):
            file.stamp = file.settled = None
            if file.broken:
                return
        file.broken = True
        log.warning("manifests: %s: %s; its last good state is kept", path, text)
        sink.note("manifest_error", None, path=str(path), error=text)

    def _paths(self, *, strict: bool) -> list[Path]:
        """All files, in a settled order: of two objects of one name, the later wins."""
        return list(dict.fromkeys(chain.from_iterable(self._below(r, strict) for r in self._roots)))

    def _below(self, root: Path, strict: bool) -> Iterable[Path]:
        """The files that a root stands for; those known already where it cannot be read."""
        try:
            return list(_below(root))
        except OSError as error:
            if strict:
                raise UserError(f"--manifests: {root}: {error.strerror}") from error
            return [path for path in self._files if path == root or root in path.parents]

    def _publish(self, sink: Sink) -> None:
        entries = chain.from_iterable(self._files[path].entries for path in self._files_in_order())
        began = self._clock.now()
        for kind, objects in assemble(entries, self._config, self._policy).items():
            changes = sink.replace(kind, objects.values())
            seconds = self._clock.now() - began
            sink.note(
                "list", kind, objects=len(objects), changes=changes, seconds=seconds, how="files"
            )

    def _files_in_order(self) -> list[Path]:
        return [path for path in self._paths(strict=False) if path in self._files]


def read_file(path: Path, fields: Fields) -> tuple[Entry, ...]:
    """The objects of a file. Raises ManifestError, OSError."""
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ManifestError(line, "not UTF-8") from error
    return tuple(
        to_entry(document, text, fields)
        for document in read_documents(text)
        if document.kind in TYPES
    )


def assemble(
    entries: Iterable[Entry], config: Config, policy: Policy
) -> dict[Kind, dict[str, Packed]]:
    """What is served of a set of objects, by kind and key, under the options. Pure."""
    last = {(entry.kind, *_name(entry.raw)): entry for entry in entries}
    found: dict[Kind, dict[str, Packed]] = {kind: {} for kind in kinds_of(policy)}
    selectors = {kind: WATCHED[kind].selector(config) for kind in found}
    for kind, key, body, labels in chain(_written(last.values(), policy), _made(last.values())):
        if kind in found and selectors[kind].matches(_texts(labels)):
            found[kind][key] = (key, body, 0.0)
    if not config.namespace_labels:
        for namespace in _implied(found):
            key = key_of(namespace)
            found[Kind.NAMESPACE][key] = (key, pack(namespace), 0.0)
    return found


_Labelled = tuple[Kind, str, bytes, Mapping[str, str | None]]


def _written(entries: Iterable[Entry], policy: Policy) -> Iterator[_Labelled]:
    """The objects that are written down."""
    fields = fields_of(policy)
    for name, raw, body in entries:
        if name not in _BY_NAME or (isinstance(raw, ManifestPod) and _is_gone(raw)):
            continue
        kind, watched = _BY_NAME[name]
        meta = raw.metadata or NO_META
        packed = body if body is not None else pack(watched.convert(raw, meta, fields))
        yield kind, f"{meta.namespace or ''}/{meta.name}", packed, meta.labels or {}


def _made(entries: Iterable[Entry]) -> Iterator[_Labelled]:
    """The slices that are not, and that a cluster would have made."""
    raws = [entry.raw for entry in entries]
    served = frozenset(
        (meta.namespace or "", (meta.labels or {}).get(SERVICE_NAME) or "")
        for meta in (raw.metadata or NO_META for raw in raws if raw.kind == "EndpointSlice")
    )
    slices = make_slices(
        [raw for raw in raws if isinstance(raw, ManifestService)],
        [raw for raw in raws if isinstance(raw, ManifestEndpoints)],
        [raw for raw in raws if isinstance(raw, ManifestPod)],
        served,
    )
    for made in slices:
        yield Kind.ENDPOINT_SLICE, key_of(made.slice), pack(made.slice), made.labels


def _name(raw: ApiAny) -> tuple[str, str]:
    meta = raw.metadata or NO_META
    return meta.namespace or "", meta.name or ""


def _implied(found: Mapping[Kind, Mapping[str, Packed]]) -> Iterator[Namespace]:
    """The Namespaces that objects are in."""
    names = {key.partition("/")[0] for objects in found.values() for key in objects}
    declared = {key.partition("/")[2] for key in found[Kind.NAMESPACE]}
    for name in sorted(names - declared - {""}):
        yield Namespace("", name)


def _is_gone(pod: ManifestPod) -> bool:
    return pod_is_finished(pod) or bool((pod.metadata or NO_META).deletion_timestamp)


def _texts(labels: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value or "" for key, value in labels.items()}


def to_entry(document: Document, text: str, fields: Fields) -> Entry:
    """One object, read as its kind, with the API's defaults. Raises ManifestError."""
    kind, value, place = document
    try:
        if isinstance(value, msgspec.Raw):
            raw = msgspec.json.decode(value, type=TYPES[kind])
        else:
            raw = msgspec.convert(value, TYPES[kind])
    except (msgspec.ValidationError, RecursionError) as error:
        what, _, path = str(error).partition(" - at `")
        line = find_line(text, place, path.rstrip("`") or "$")
        where = f" at {path.rstrip('`').removeprefix('$.')}" if path else ""
        raise ManifestError(line, f"{kind}{where}: {what[:1].lower()}{what[1:]}") from error
    meta = raw.metadata
    if meta is None or not meta.name:
        raise ManifestError(find_line(text, place), f"this {kind} has no metadata.name")
    namespaced = kind not in _BY_NAME or _BY_NAME[kind][1].namespaced
    meta.namespace = (meta.namespace or "default") if namespaced else ""
    for port in _ports_of(raw):
        port.protocol = port.protocol or "TCP"
    if kind not in _FOR_CONTROLLERS:
        obj = _BY_NAME[kind][1].convert(raw, meta, fields)
        return Entry(kind, ApiAny(kind=kind, metadata=meta), pack(obj))
    return Entry(kind, raw)


def _ports_of(raw: ApiAny) -> Iterable[ApiPort]:
    if isinstance(raw, ApiEndpointSlice):
        return raw.ports or ()
    if isinstance(raw, ManifestService | ApiServiceImport) and raw.spec is not None:
        return raw.spec.ports or ()
    return ()


def _below(root: Path) -> Iterator[Path]:
    """The files that a path stands for. Raises OSError."""
    if not root.is_dir():
        root.stat()
        yield root
        return
    for name in sorted(os.listdir(root)):
        path = root / name
        if name.startswith("."):
            continue
        if path.is_dir():
            yield from _below(path)
        elif name.endswith(SUFFIXES):
            yield path


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size
