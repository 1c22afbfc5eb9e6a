"""Every message of the link, in pieces of any size, and octets that are no message."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.frames import FRAME_LIMIT
from grpcdns.serve import link
from grpcdns.serve.link import LinkError, Reader, to_frame

MESSAGES: tuple[link.Message, ...] = (
    link.Hello("worker-0", live=True),
    link.Listing(Kind.SERVICE, 7),
    link.Objects(Kind.SERVICE, (("a/b", b"\0\xff"), ("a/c", b""))),
    link.Listed(Kind.SERVICE),
    link.Changes((Change(Kind.POD, "a/b", None, 3), Change(Kind.SERVICE, "a/b", b"x", 4, 1.5))),
    link.State(restored=True, saved=12.5),
    link.Ask(3),
    link.Report(3, (("family", 'label="x"', 1.0),)),
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_whole_and_in_pieces(size: int) -> None:
    wire = b"".join(map(to_frame, MESSAGES))
    reader = Reader()
    found = [m for at in range(0, len(wire), size) for m in reader.feed(wire[at : at + size])]
    assert tuple(found) == MESSAGES


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(struct.pack(">I", FRAME_LIMIT + 1), id="too long"),
        pytest.param(struct.pack(">I", 3) + b"\xc1\xc1\xc1", id="no msgpack"),
        pytest.param(struct.pack(">I", 1) + b"\x01", id="no message"),
        pytest.param(struct.pack(">I", 9) + b"\x92\xa7unknown"[:9], id="no tag of ours"),
        pytest.param(struct.pack(">I", 0), id="empty"),
    ],
)
def test_what_is_no_message(wire: bytes) -> None:
    with pytest.raises(LinkError):
        list(Reader().feed(wire))


@given(st.binary(max_size=200))
def test_random_octets_raise_nothing_else(body: bytes) -> None:
    try:
        list(Reader().feed(struct.pack(">I", len(body)) + body))
    except LinkError:
        pass
