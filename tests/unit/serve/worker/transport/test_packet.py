"""Our reading and writing of DnsPacket equals protobuf's."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from grpcdns.pb.dns_pb2 import DnsPacket
from grpcdns.serve.worker.transport.packet import MAX_MESSAGE, MAX_PACKET, from_wire, to_wire


@pytest.mark.parametrize("length", [0, 1, 12, 127, 128, 2047, 2048, 16383, 16384, MAX_MESSAGE])
def test_every_length(length: int) -> None:
    msg = b"m" * length
    wire = to_wire(msg)
    assert DnsPacket.FromString(wire).msg == msg
    assert from_wire(wire) == msg
    assert len(wire) <= MAX_PACKET


@pytest.mark.parametrize(
    ("raw", "msg"),
    [
        pytest.param(b"", b"", id="no msg is an empty one"),
        pytest.param(b"\x0a\x00", b"", id="an empty msg"),
        pytest.param(b"\x0a\x01a\x0a\x01b", b"b", id="the last one counts"),
        pytest.param(b"\x0a\x81\x00a", b"a", id="a length written longer than needed"),
        pytest.param(b"\x10\x05\x0a\x01a", b"a", id="unknown varint before"),
        pytest.param(b"\x0a\x01a\x12\x02xy", b"a", id="unknown bytes after"),
        pytest.param(b"\x0a\x01a\x1d\x01\x02\x03\x04", b"a", id="unknown fixed32"),
        pytest.param(b"\x0a\x01a\x19\x01\x02\x03\x04\x05\x06\x07\x08", b"a", id="unknown fixed64"),
        pytest.param(b"\x08\x05\x0a\x01a", b"a", id="msg of another wire type is unknown"),
    ],
)
def test_forms_that_are_allowed(raw: bytes, msg: bytes) -> None:
    assert from_wire(raw) == msg
    assert DnsPacket.FromString(raw).msg == msg


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x0a", id="a tag alone"),
        pytest.param(b"\x0a\x05abc", id="shorter than it says"),
        pytest.param(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", id="an endless varint"),
        pytest.param(b"\x00\x01", id="field 0"),
        pytest.param(b"\x1d\x01", id="half a fixed32"),
        pytest.param(b"\x0f", id="a wire type that does not exist"),
    ],
)
def test_forms_that_are_not(raw: bytes) -> None:
    assert from_wire(raw) is None
    with pytest.raises(DecodeError):
        DnsPacket.FromString(raw)


@given(st.binary(max_size=300))
def test_protobuf_reads_the_same(raw: bytes) -> None:
    """Random octets. Groups, which protobuf still reads, are the only exception."""
    msg = from_wire(raw)
    if msg is not None:
        try:
            assert DnsPacket.FromString(raw).msg == msg
        except DecodeError:
            assert len(raw) > 9  # a field number or varint beyond protobuf's range
