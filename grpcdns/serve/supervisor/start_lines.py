"""The first lines of the log: what is started, and what the options expose."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from grpcdns import __version__
from grpcdns.config.options import Config
from grpcdns.config.values import EVERY_INTERFACE
from grpcdns.revision import code, revision

_log = logging.getLogger(__name__)

_NAMED: Final = 12
"""How many zones are named; a CIDR can stand for 128 of them."""
_COMMIT: Final = 12
"""Characters of the commit's ID."""


def log_start(config: Config) -> None:
    _log.info("%s", summary(config))
    warn_of_open_addresses(config)


def summary(config: Config) -> str:
    """Version, commit, code, addresses, zones and source, in one line."""
    commit = revision()[:_COMMIT] or "unknown"
    return (
        f"grpcdns {__version__} (commit {commit}, {code()}): listen {_some(config.listen)}; "
        f"zones {_some([zone.removesuffix('.') or '.' for zone in config.zones])}; "
        f"source {_source(config)}"
    )


def warn_of_open_addresses(config: Config) -> None:
    """Log each address on all of the machine's interfaces that is served without TLS."""
    for address in config.listen:
        if address.startswith(EVERY_INTERFACE) and not config.tls_cert:
            _log.warning(
                "--listen %s: served without TLS on every interface; give --tls-cert, or 127.0.0.1",
                address,
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
