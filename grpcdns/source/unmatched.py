"""Options that leave nothing of a cluster that is listed: a namespace that is not there, labels
that nothing has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Kind


def unmatched(found: Mapping[Kind, Collection[str]], config: Config) -> Iterator[str]:
    """A line each. ``found``: the keys of all Namespaces and Services."""
    namespaces = {key.partition("/")[2] for key in found[Kind.NAMESPACE]}
    for name in config.namespaces:
        if name not in namespaces:
            from grpcdns.source.manifests.mistakes import meant  # 1 MB, and rarely needed

            yield f"--namespaces: there is no namespace {name}{meant(name, namespaces)}"
    if config.namespace_labels and not namespaces:
        yield f"--namespace-labels: no namespace has the labels {config.namespace_labels}"
    if config.labels and not found[Kind.SERVICE]:
        yield f"--labels: no Service has the labels {config.labels}"
