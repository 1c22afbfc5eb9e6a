"""What every check gets: the cluster, the options, and whose rights are in question."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from grpcdns.config.options import Config

if TYPE_CHECKING:  # only the command's own process loads the kubernetes package
    from grpcdns.preflight.account import Account
    from grpcdns.preflight.kubernetes_client import KubernetesClient


class Context(NamedTuple):
    """``configmap``: (namespace, name) of CoreDNS's. ``served``: the zones to compare the Corefile
    with, none where --zones was not given. ``--zones auto`` is replaced in both by what it stands
    for."""

    api: KubernetesClient
    config: Config
    served: tuple[str, ...]
    account: Account
    configmap: tuple[str, str]
