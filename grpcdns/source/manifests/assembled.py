"""What is served of all the objects of all files: what is written, and what a cluster would have
made of it. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind, Namespace, key_of, pack
from grpcdns.source.kinds import NO_META, SERVICE_NAME, WATCHED, pod_is_finished
from grpcdns.source.manifests.controllers import ManifestPod, make_slices
from grpcdns.source.manifests.objects import BY_NAME, Entry
from grpcdns.source.scope import fields_of, kinds_of
from grpcdns.source.sink import Packed


def assemble(
    entries: Iterable[Entry], config: Config, policy: Policy
) -> dict[Kind, dict[str, Packed]]:
    """What is served of a set of objects, by kind and key, under the options."""
    last = {entry.key: entry for entry in entries}
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
    for entry in entries:
        if entry.kind not in BY_NAME:
            continue
        kind, watched = BY_NAME[entry.kind]
        raw = entry.load()
        if kind is Kind.POD and _is_gone(raw):
            continue
        meta = raw.metadata or NO_META
        body = entry.body if entry.body is not None else pack(watched.convert(raw, meta, fields))
        yield kind, f"{meta.namespace or ''}/{meta.name}", body, meta.labels or {}


def _made(entries: Collection[Entry]) -> Iterator[_Labelled]:
    """The slices that are not, and that a cluster would have made."""
    served = frozenset(
        (namespace, ((entry.load().metadata or NO_META).labels or {}).get(SERVICE_NAME) or "")
        for entry in entries
        for kind, namespace, _ in [entry.key]
        if kind == "EndpointSlice"
    )
    made = make_slices(
        (each.load() for each in entries if each.kind == "Service" and each.key[1:] not in served),
        (each.load() for each in entries if each.kind == "Endpoints"),
        (each.load() for each in entries if each.kind == "Pod"),
        served,
    )
    for each in made:
        yield Kind.ENDPOINT_SLICE, key_of(each.slice), pack(each.slice), each.labels


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
