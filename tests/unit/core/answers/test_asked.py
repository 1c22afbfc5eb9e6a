"""The grammar of names: facts about the plugin, each with its id (pr, md)."""

from __future__ import annotations

from typing import Any, Final

import pytest

from grpcdns.core.answers.asked import Asked, parse_name

_PARTS: Final = (
    "kind", "namespace", "service", "endpoint", "cluster", "port", "protocol", "zone", "prefer",
    "key",
)  # fmt: skip


def _webs(**parts: Any) -> Asked:
    return Asked("svc", "mynamespace", "webs", **parts)


_Z: Final = "webs.mynamespace.svc"


@pytest.mark.parametrize(
    ("left", "multicluster", "zonal", "asked"),
    [
        pytest.param(f"_http._tcp.{_Z}", 0, 0, _webs(port="http", protocol="tcp"),
                     id="pr-01"),
        pytest.param(f"1-2-3-4.{_Z}", 0, 0, _webs(endpoint="1-2-3-4"), id="pr-02"),
        pytest.param("", 0, 0, Asked(), id="pr-03"),
        pytest.param("svc", 0, 0, Asked(), id="pr-04"),
        pytest.param("pod", 0, 0, Asked(), id="pr-05"),
        # Two empty labels cannot be on the wire: the parts are those of the name without them.
        pytest.param(f"..{_Z}", 0, 0, _webs(), id="pr-06"),
        pytest.param(f"1-2-3-4.cluster1.{_Z}", 1, 0,
                     _webs(endpoint="1-2-3-4", cluster="cluster1"), id="pr-07"),
        pytest.param(f"us-west-2a.pin._zone.{_Z}", 0, 1, _webs(zone="us-west-2a"),
                     id="pr-08"),
        pytest.param(f"us-west-2a.prefer._zone.{_Z}", 0, 1,
                     _webs(zone="us-west-2a", prefer=True), id="pr-09"),
        pytest.param(f"corp.example.com.pin._zone.{_Z}", 0, 1,
                     _webs(zone="corp.example.com"), id="pr-10"),
        pytest.param(f"us-west-2a._zone.{_Z}", 0, 1,
                     _webs(port="us-west-2a", protocol="zone"), id="pr-11"),
        pytest.param("webs.mynamespace.pood", 0, 0, None, id="pr-12"),
        pytest.param("too.long.for.what.I.am.trying.to.pod", 0, 0, None, id="pr-13"),
        pytest.param(f"us-west-2a.pin._zone.{_Z}", 0, 0, None, id="pr-14"),
        pytest.param("us-west-2a.pin._zone.webs.mynamespace.pod", 0, 1, None, id="pr-15"),
        pytest.param(f"us-west-2a.florp._zone.{_Z}", 0, 1, None, id="pr-16"),
        pytest.param(f"us-west-2a.pin._zone.{_Z}", 1, 1, None, id="pr-17"),
        pytest.param("foo.bar.notapod", 0, 0, None, id="md-01"),
        pytest.param("10-240-0-1.podns.pod", 0, 0,
                     Asked(kind="pod", namespace="podns", service="10-240-0-1"), id="md-02"),
        pytest.param("s.ns.svc", 0, 0, Asked(kind="svc", namespace="ns", service="s"), id="md-03"),
        pytest.param("s.ns.svc", 1, 1, Asked(kind="svc", namespace="ns", service="s"), id="md-04"),
        pytest.param("_http._tcp.s.ns.svc", 0, 0,
                     Asked(kind="svc", namespace="ns", service="s", port="http", protocol="tcp"),
                     id="md-05"),
        pytest.param("ep.s.ns.svc", 0, 0,
                     Asked(kind="svc", namespace="ns", service="s", endpoint="ep"), id="md-06"),
        pytest.param("ep.c1.s.ns.svc", 1, 0,
                     Asked(kind="svc", namespace="ns", service="s", endpoint="ep", cluster="c1"),
                     id="md-07"),
    ],
)  # fmt: skip
def test_grammar(left: str, multicluster: int, zonal: int, asked: Asked | None) -> None:
    labels = tuple(label for label in left.split(".") if label)
    found = parse_name(labels, bool(multicluster), bool(zonal))
    assert _parts_of(found) == _parts_of(asked)


def _parts_of(asked: Asked | None) -> list[object] | None:
    return None if asked is None else [getattr(asked, part) for part in _PARTS]
