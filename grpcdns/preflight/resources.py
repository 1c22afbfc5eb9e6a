"""The API's resources that are watched, one for each kind: all that preflight asks about."""

from __future__ import annotations

from typing import NamedTuple

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import needed_kinds, watched_kinds
from grpcdns.core.cluster.objects import Kind
from grpcdns.source.kinds import WATCHED, path_of


class Resource(NamedTuple):
    """``group`` is "" for the core API; ``title`` is for people ("EndpointSlices"). ``older`` are
    other versions that grpcdns can use. ``optional``: grpcdns serves without it, too."""

    kind: Kind
    title: str
    group: str
    api_version: str
    plural: str
    path: str
    older: tuple[str, ...] = ()
    optional: bool = False

    @property
    def discovery(self) -> str:
        """The path of the list of what its API version serves."""
        return self.path.rpartition("/")[0]

    def in_version(self, api_version: str) -> Resource:
        path = path_of(api_version, self.plural)
        return self._replace(api_version=api_version, path=path, older=())

    @property
    def full_name(self) -> str:
        """As in error messages of the API: "endpointslices.discovery.k8s.io"."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def needed_resources(config: Config) -> list[Resource]:
    """What ``grpcdns serve`` needs under these options, in a fixed order."""
    return [resource_of(kind) for kind in sorted(needed_kinds(config.policy()))]


def watched_resources(config: Config) -> list[Resource]:
    """What it watches: those, and what it goes on without."""
    return [resource_of(kind) for kind in sorted(watched_kinds(config.policy()))]


def resource_of(kind: Kind) -> Resource:
    row = WATCHED[kind]
    group = row.api_version.rpartition("/")[0]
    path = row.paths[0]
    return Resource(
        kind, f"{row.name}s", group, row.api_version, row.plural, path, row.older, row.optional
    )
