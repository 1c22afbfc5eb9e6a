"""The source that the options name. Each one is imported only where it is used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Policy
from grpcdns.histogram import Sample
from grpcdns.source.sink import Sink


class Source(Protocol):
    """Delivers a cluster's objects to a sink, from ``start`` to ``stop``."""

    def start(self, sink: Sink) -> None:
        """Starts threads that deliver. Raises `UserError`."""

    def stop(self) -> None:
        """Ends all threads, promptly."""

    def samples(self) -> Iterable[Sample]:
        """Metrics of its own, by their names without the prefix."""

    def set_policy(self, policy: Policy) -> None:
        """New options for answers, which may need other fields of the objects."""


def make_source(config: Config, *, once: bool = False) -> Source:
    """Manifests where ``--manifests`` is given, else the API. Raises `UserError` for options it
    cannot be made from.

    ``once``: for a command that reads the objects once. ``start`` then raises
    `grpcdns.source.api.client.Unreachable`, with the reason, when the API does not answer.
    """
    if config.manifests:
        from grpcdns.source.manifests.source import Manifests

        return Manifests(config)
    from grpcdns.source.api.source import KubernetesApi

    return KubernetesApi(config, once=once)
