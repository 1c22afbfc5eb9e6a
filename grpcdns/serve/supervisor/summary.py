"""The first line of the log: what is started, and with what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from grpcdns import __version__
from grpcdns.config.options import Config
from grpcdns.revision import revision

_NAMED: Final = 12
"""How many zones are named; a CIDR can stand for 128 of them."""
_COMMIT: Final = 12
"""Characters of the commit's ID."""


def summary(config: Config) -> str:
    """Version, commit, addresses, zones and source, in one line."""
    commit = revision()[:_COMMIT] or "unknown"
    return (
        f"grpcdns {__version__} (commit {commit}): listen {_some(config.listen)}; "
        f"zones {_some([zone.removesuffix('.') for zone in config.zones])}; "
        f"source {_source(config)}"
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _source(config: Config) -> str:
    if config.manifests:
        return f"manifests {', '.join(config.manifests)}"
    if config.kubeconfig:
        context = f", context {config.context}" if config.context else ""
        return f"kubeconfig {config.kubeconfig}{context}"
    return "the Pod's service account"
