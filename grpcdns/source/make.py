"""Which source the options ask for; each is imported only where it is used."""

from __future__ import annotations

from typing import Protocol

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Policy
from grpcdns.source.sink import Sink


class Source(Protocol):
    def start(self, sink: Sink) -> None: ...

    def stop(self) -> None: ...

    def set_policy(self, policy: Policy) -> None: ...


def make_source(config: Config) -> Source:
    """Raises `UserError` for options that it cannot be made from."""
    if config.manifests:
        from grpcdns.source.manifests.source import Manifests

        return Manifests(config)
    from grpcdns.source.api.source import KubernetesApi

    return KubernetesApi(config)
