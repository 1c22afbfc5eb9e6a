"""What moves the serials (sb) and what events of Pods do (oe): facts about the plugin, by id."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from grpcdns.core.cluster.index import Index, Serial
from grpcdns.core.cluster.objects import (
    Change,
    Endpoint,
    EndpointSlice,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceImport,
)
from tests.unit.core.making import change, tags_of, with_

SVC: Final = Service("ns", "s", cluster_ips=("10.0.0.1",), ports=(Port("test1", "TCP", 80),))
PUBLIC: Final = msgspec.structs.replace(SVC, external_ips=("10.0.0.1",))
HEADLESS: Final = msgspec.structs.replace(SVC, cluster_ips=("None",))
NAMED: Final = Service("ns", "s", "ExternalName", ("",), "a.example.net")
POD: Final = Pod("ns", "p", "10.240.0.1")
POINT: Final = Endpoint(("10.0.0.1",), True, "host", "", "a")
SLICE: Final = EndpointSlice(
    "ns", "e", "s", endpoints=(POINT,), ports=(Port("http", "TCP", 80),), imported_service="",
)  # fmt: skip
MULTI: Final = msgspec.structs.replace(SLICE, service="", imported_service="s", cluster="one")
IMPORT: Final = ServiceImport("ns", "s", ips=("10.1.0.1",), ports=(Port("http", "TCP", 80),))


def point(**fields: Any) -> EndpointSlice:
    changed: EndpointSlice = with_(SLICE, endpoints=(with_(POINT, **fields),))
    return changed


def slice_port(**fields: Any) -> EndpointSlice:
    changed: EndpointSlice = with_(SLICE, ports=(with_(SLICE.ports[0], **fields),))
    return changed


NOT_READY: Final = with_(
    SLICE, endpoints=(POINT, with_(POINT, ready=False, addresses=("10.9.9.9",)))
)

RENAMED: Final = (Port("test2", "TCP", 80),)
TWO_PORTS: Final = (Port("test1", "TCP", 80), Port("test2", "TCP", 81))


@pytest.mark.parametrize(
    ("before", "after", "bumped"),
    [
        pytest.param(None, SVC, "C", id="sb-01"),
        pytest.param(SVC, None, "C", id="sb-02"),
        pytest.param(None, PUBLIC, "CE", id="sb-03"),
        pytest.param(PUBLIC, None, "CE", id="sb-04"),
        pytest.param(PUBLIC, with_(PUBLIC, external_ips=("10.0.0.2",)), "E", id="sb-05"),
        pytest.param(NAMED, with_(NAMED, external_name="b.example.net"), "C", id="sb-06"),
        pytest.param(PUBLIC, with_(PUBLIC, ports=RENAMED), "CE", id="sb-07"),
        pytest.param(PUBLIC, with_(PUBLIC, ports=TWO_PORTS), "CE", id="sb-08"),
        pytest.param(None, HEADLESS, "CE", id="a headless one may have its endpoints outside"),
        pytest.param(POD, POD, "", id="sb-09"),
        pytest.param(with_(POD, ip=""), POD, "C", id="sb-10"),
        pytest.param(POD, with_(POD, ip="10.240.0.2"), "C", id="sb-11"),
        pytest.param(SLICE, SLICE, "", id="sb-12"),
        pytest.param(SLICE, NOT_READY, "", id="sb-12: one more that is not ready"),
        pytest.param(SLICE, with_(SLICE, endpoints=(POINT, with_(POINT, addresses=("10.0.0.2",)))),
                     "CE", id="sb-13"),
        pytest.param(SLICE, with_(SLICE, ports=(*SLICE.ports, Port("x", "TCP", 1))), "CE",
                     id="sb-14"),
        pytest.param(SLICE, point(addresses=("10.0.0.2",)), "CE", id="sb-15"),
        pytest.param(SLICE, point(hostname="other"), "CE", id="sb-16"),
        pytest.param(SLICE, slice_port(number=81), "CE", id="sb-17"),
        pytest.param(SLICE, slice_port(protocol="UDP"), "CE", id="sb-18"),
        pytest.param(None, SLICE, "CE", id="sb-19 created"),
        pytest.param(SLICE, None, "CE", id="sb-19 deleted"),
        pytest.param(SLICE, point(zone="b"), "CE", id="sb-20"),
        pytest.param(MULTI, with_(MULTI, cluster="two"), "CEM", id="sb-21"),
        pytest.param(None, IMPORT, "CM", id="sb-22 created"),
        pytest.param(IMPORT, None, "CM", id="sb-22 deleted"),
        pytest.param(IMPORT, with_(IMPORT, type="Headless"), "CM", id="sb-23"),
        pytest.param(IMPORT, with_(IMPORT, ports=(Port("http", "TCP", 81),)), "CM", id="sb-24"),
        pytest.param(IMPORT, IMPORT, "", id="sb-25"),
        pytest.param(None, Namespace("", "ns"), "CEM", id="a Namespace shows all that is in it"),
    ],
)  # fmt: skip
def test_serial(before: Object | None, after: Object | None, bumped: str) -> None:
    index = Index(())
    obj = after or before
    assert obj is not None
    if before is not None:
        tags_of(index, change(before, 100))
    index.serials = [100, 100, 100]
    tags_of(index, change(obj, 200, gone=after is None))
    moved = {serial.name[0] for serial in Serial if index.serials[serial] == 200}
    assert moved == set(bumped)


def test_serial_never_goes_back() -> None:
    """A feed with a slow clock, or another feed: RFC 1982 wants it to grow."""
    index = Index(())
    tags_of(index, change(SVC, 200))
    tags_of(index, change(SVC, 100, gone=True))
    assert index.serials[Serial.CLUSTER] == 200


@pytest.mark.parametrize(
    ("events", "there"),
    [
        pytest.param([change(POD)], True, id="oe-05"),
        # The source gives no Change at all for a Pod that begins to terminate.
        pytest.param([change(POD), change(POD)], True, id="oe-06 terminating"),
        pytest.param([change(POD), change(POD, gone=True)], False, id="oe-06 deleted"),
    ],
)
def test_pod_events(events: list[Change], there: bool) -> None:
    index = Index(())
    tags = [tags_of(index, event) for event in events]
    assert bool(list(index.pods_at("10.240.0.1"))) == there
    assert tags[1:] in ([], [set()] if there else tags[1:])
