"""A document -> an object as it is written, with the API's defaults.

An object that the API would refuse is `Refused`: where a file is followed its last good state then
stays, as in a cluster.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec

from grpcdns.core.cluster.objects import pack
from grpcdns.source.kinds import (
    WATCHED,
    ApiAny,
    ApiEndpointSlice,
    ApiPort,
    ApiServiceImport,
    Fields,
)
from grpcdns.source.manifests.controllers import ManifestEndpoints, ManifestPod, ManifestService
from grpcdns.source.manifests.documents import Document, plain
from grpcdns.source.manifests.fields import misspelt
from grpcdns.source.manifests.mistakes import Mistakes, doubts, foreign, is_ours
from grpcdns.source.manifests.scalars import to_json

_FOR_CONTROLLERS: Final[dict[str, type[ApiAny]]] = {
    "Service": ManifestService,
    "Endpoints": ManifestEndpoints,
    "Pod": ManifestPod,
}
"""Kinds of which the controllers look at more than the labels."""
_SHAPES: Final[dict[str, type[ApiAny]]] = {
    **{watched.name: watched.shape for watched in WATCHED.values()},
    **_FOR_CONTROLLERS,
}
BY_NAME: Final = {watched.name: (kind, watched) for kind, watched in WATCHED.items()}

Key = tuple[str, str, str]
"""What an object is called: kind, namespace, name."""


class Entry(NamedTuple):
    """One object of a file, packed: a cluster's dump has many. ``body`` is what is served, of kinds
    that the controllers do not look at; ``packed`` of those is no more than the metadata."""

    key: Key
    packed: bytes
    body: bytes | None = None

    @property
    def kind(self) -> str:
        return self.key[0]

    def load(self) -> Any:
        """The object as it was written; of one with a body what is left of it."""
        return (_metadata if self.body is not None else _decoders[self.kind]).decode(self.packed)


_encoder = msgspec.msgpack.Encoder()
_metadata = msgspec.msgpack.Decoder(ApiAny)
_decoders: Final = {
    kind: msgspec.msgpack.Decoder(shape) for kind, shape in _FOR_CONTROLLERS.items()
}


class Refused(NamedTuple):
    """An object that cannot be read, and what it is called."""

    key: Key


def to_entry(document: Document, fields: Fields, mistakes: Mistakes) -> Entry | Refused | None:
    """One object, read as its kind; None for one that DNS has no use for."""
    kind, place = document.kind, document.place
    if not is_ours(document):
        if problem := foreign(document):
            mistakes.left(place, problem, "$.kind")
        return None
    try:
        raw = _decode(document)
    except (msgspec.ValidationError, RecursionError) as error:
        what, _, path = str(error).partition(" - at `")
        path = path.rstrip("`") or "$"
        where = f" at {path.removeprefix('$.')}" if path != "$" else ""
        mistakes.left(place, f"{kind}{where}: {what[:1].lower()}{what[1:]}", path)
        return _refused(document)
    meta = raw.metadata
    if meta is None or not meta.name:
        mistakes.left(place, f"this {kind} has no metadata.name")
        return None
    if not document.api_version:
        mistakes.doubt(place, f"this {kind} has no apiVersion")
    written = document.value  # JSON is mostly what a program wrote
    spelling = misspelt(written, _SHAPES[kind]) if isinstance(written, dict) else ()
    for path, problem in chain(spelling, doubts(raw)):
        mistakes.doubt(place, f"{kind} {meta.name}: {problem}", path)
    namespaced = kind not in BY_NAME or BY_NAME[kind][1].namespaced
    meta.namespace = (meta.namespace or "default") if namespaced else ""
    for port in _ports_of(raw):
        port.protocol = port.protocol or "TCP"
    if kind != "Endpoints":
        meta.annotations = None
    meta.resource_version = None
    key = (kind, meta.namespace, meta.name)
    if kind in _FOR_CONTROLLERS:
        return Entry(key, _encoder.encode(raw))
    body = pack(BY_NAME[kind][1].convert(raw, meta, fields))
    return Entry(key, _encoder.encode(ApiAny(metadata=meta)), body)


def _decode(document: Document) -> ApiAny:
    """Raises msgspec.ValidationError, RecursionError."""
    value, shape = document.value, _SHAPES[document.kind]
    if isinstance(value, msgspec.Raw):
        try:
            return msgspec.json.decode(value, type=shape)
        except msgspec.ValidationError:  # 80.0 is an integer for Go
            return msgspec.convert(_whole(plain(document)), shape)
    return msgspec.convert(value, shape)


def _whole(value: Any) -> Any:
    """Floats without a fraction as integers."""
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return to_json(value) if isinstance(value, float) else value


def _refused(document: Document) -> Refused | None:
    """The name of an object that is not of its kind's shape; None where not even that is there."""
    try:
        value = plain(document)
    except RecursionError:
        return None
    meta = value.get("metadata") if isinstance(value, dict) else None
    name = meta.get("name") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(name, str):
        return None
    namespace = meta.get("namespace") or "default"
    namespaced = document.kind not in BY_NAME or BY_NAME[document.kind][1].namespaced
    return Refused((document.kind, str(namespace) if namespaced else "", name))


def _ports_of(raw: ApiAny) -> Iterable[ApiPort]:
    if isinstance(raw, ApiEndpointSlice):
        return raw.ports or ()
    if isinstance(raw, ManifestService | ApiServiceImport) and raw.spec is not None:
        return raw.spec.ports or ()
    return ()
