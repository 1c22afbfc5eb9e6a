"""Snapshots are written completely or not at all, and read completely or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import pytest

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import (
    EndpointSlice,
    Held,
    Kind,
    Namespace,
    Service,
    pack,
    unpack,
)
from grpcdns.source.snapshot import (
    EVERY,
    REFRESH,
    Guarded,
    Header,
    Snapshot,
    SnapshotError,
    fingerprint,
    is_due,
    load,
    save,
)

HEADER = Header("print", saved=2000.0, contact=1990.0, serial=7)
OBJECTS = [
    (Kind.NAMESPACE, "/ns", b"n"),
    (Kind.SERVICE, "ns/a", b"a" * 200_000),
    (Kind.SERVICE, "ns/b", b"b" * 100_000),
    (Kind.ENDPOINT_SLICE, "ns/a-1", b""),
]


def test_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "state"
    size = save(path, HEADER, iter(OBJECTS))
    found = load(path, "print")
    assert found.header == HEADER
    assert list(found.objects()) == OBJECTS
    assert size == path.stat().st_size
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["state"]


WRITTEN_BEFORE = bytes.fromhex(
    "67727063646e7320736e617073686f740a0000002496a8736e617073686f74a57072696e74cb409f400000000000"
    "cb409f18000000000007010000002193a76f626a65637473019192a82f64656661756c74c40a92a0a764656661756c"
    "740000004793a76f626a65637473029292a964656661756c742f61c42297a764656661756c74a161a9436c75737465"
    "72495091a831302e302e302e31a0909092a964656661756c742f62c4000000003293a76f626a65637473039192ab64"
    "656661756c742f612d31c41898a764656661756c74a3612d31a161a4495076349090a0a00000001893a3656e6404c4"
    "1081189daac2079776ed61c7a1365d96c8"
)
"""A file of version 1, as the first release wrote it."""
OBJECTS_BEFORE = [
    (Kind.NAMESPACE, "/default", Namespace("", "default")),
    (Kind.SERVICE, "default/a", Service("default", "a", cluster_ips=("10.0.0.1",))),
    (Kind.SERVICE, "default/b", None),
    (Kind.ENDPOINT_SLICE, "default/a-1", EndpointSlice("default", "a-1", "a")),
]
"""Packed objects have become longer since: fields that are not there have their defaults."""


def test_a_file_written_before_is_read_and_written_alike(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_bytes(WRITTEN_BEFORE)
    found = load(path, "print")
    assert found.header == HEADER
    objects = list(found.objects())
    assert [
        (kind, key, unpack(kind, body) if body else None) for kind, key, body in objects
    ] == OBJECTS_BEFORE
    save(path, HEADER, objects)
    assert path.read_bytes() == WRITTEN_BEFORE


def test_an_empty_state(tmp_path: Path) -> None:
    save(tmp_path / "state", HEADER, ())
    assert list(load(tmp_path / "state", "print").objects()) == []


def test_age_is_since_the_api_was_heard(tmp_path: Path) -> None:
    found = Snapshot(tmp_path, HEADER)
    assert found.age(2090.0) == 100.0
    assert found.age(1000.0) == 0.0


def small(folder: Path) -> bytes:
    save(folder / "small", HEADER, [(Kind.SERVICE, "ns/a", b"abc"), (Kind.POD, "ns/p", b"")])
    return (folder / "small").read_bytes()


def test_torn_anywhere(tmp_path: Path) -> None:
    whole = small(tmp_path)
    path = tmp_path / "torn"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SnapshotError):
            load(path, "print")


def test_any_bit_changed(tmp_path: Path) -> None:
    whole = small(tmp_path)
    path = tmp_path / "changed"
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(SnapshotError):
            load(path, "print")


REASONS = {
    "missing": (None, "does not exist yet"),
    "empty": (b"", "not a snapshot"),
    "something else": (b"#!/bin/sh\nexit 0\n", "not a snapshot"),
    "no header": (b"grpcdns snapshot\n", "its end is missing"),
    "a frame of 4 GB": (
        b"grpcdns snapshot\n\xff\xff\xff\xff",
        "damaged or of another version",
    ),
    "begins with objects": (
        b"grpcdns snapshot\n\x00\x00\x00\x0b\x93\xa7objects\x02\x90",
        "damaged: no header",
    ),
    "a frame of rubbish": (
        b"grpcdns snapshot\n\x00\x00\x00\x01\xc1",
        "damaged or of another version",
    ),
}


@pytest.mark.parametrize(("content", "why"), REASONS.values(), ids=REASONS.keys())
def test_reasons(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "state"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SnapshotError, match=why):
        load(path, "print")


def test_foreign(tmp_path: Path) -> None:
    small(tmp_path)
    with pytest.raises(SnapshotError, match="other options"):
        load(tmp_path / "small", "another")


def test_of_another_version(tmp_path: Path) -> None:
    save(tmp_path / "old", msgspec.structs.replace(HEADER, version=0), OBJECTS)
    with pytest.raises(SnapshotError, match="version 0, not 1"):
        load(tmp_path / "old", "print")


def test_data_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_bytes(small(tmp_path) + b"\x00")
    with pytest.raises(SnapshotError, match="data after its end"):
        load(path, "print")


def test_not_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="Is a directory"):
        load(tmp_path, "print")


def test_a_crash_while_writing_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "state"
    save(path, HEADER, OBJECTS)

    def breaks_off() -> object:
        yield OBJECTS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save(path, HEADER, breaks_off())  # type: ignore[arg-type]
    assert list(load(path, "print").objects()) == OBJECTS
    save(path, HEADER, OBJECTS[:1])
    assert os.listdir(tmp_path) == ["state"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever can write to the folder cannot make us overwrite another file."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".state.new").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        save(tmp_path / "state", HEADER, OBJECTS)
    assert victim.read_text() == "precious"


def test_an_unwritable_folder_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "none" / "state", HEADER, OBJECTS)


@pytest.mark.parametrize(
    "other",
    [
        Config(zones=("other.", "in-addr.arpa.")),
        Config(labels="a=b"),
        Config(namespace_labels="a=b"),
        Config(pods="verified"),
        Config(no_endpoints=True),
        Config(endpoint_pod_names=True),
        Config(zonal=True),
        Config(topology_zone="a"),
        Config(cluster_id="a", multicluster=("clusterset.local.",)),
        Config(serve_terminating=True),
        Config(kubeconfig="/a"),
        Config(manifests=("/a",)),
        Config(multicluster=("clusterset.local.",)),
    ],
)
def test_fingerprint_tells_options_apart(other: Config) -> None:
    assert fingerprint(other) != fingerprint(Config())


def test_options_of_answers_alone_do_not_change_the_fingerprint() -> None:
    assert fingerprint(Config(ttl=30, listen=("a:1",))) == fingerprint(Config())


def test_a_fingerprint_from_before_the_topology_options_still_fits() -> None:
    assert fingerprint(Config()) == "3483240409aa2a3a"


DUE = [
    (0.0, None, False, True),
    (100.0, 100.0 - EVERY + 0.1, True, False),
    (100.0, 100.0 - EVERY, True, True),
    (100.0, 100.0 - EVERY, False, False),
    (1000.0, 1000.0 - REFRESH, False, True),
]


@pytest.mark.parametrize(("now", "saved", "changed", "due"), DUE)
def test_when_to_save(now: float, saved: float | None, changed: bool, due: bool) -> None:
    assert is_due(now, saved, changed=changed) is due


def test_that_the_guard_holds_is_part_of_it(tmp_path: Path) -> None:
    held = pack(Namespace("", "default", held=Held("guard", 7000)))
    save(tmp_path / "state", HEADER, [(Kind.NAMESPACE, "/default", held)], Guarded(7000, "much"))
    found = load(tmp_path / "state", "print")
    assert found.guarded == Guarded(7000, "much")
    assert list(found.objects()) == [(Kind.NAMESPACE, "/default", held)]
