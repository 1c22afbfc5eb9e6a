"""Bodies that are no packed objects."""

from __future__ import annotations

import msgspec
import pytest

from grpcdns.core.cluster.objects import (
    Kind,
    unpack,
)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x92\xa1\xff\xa1x", b"\x91\x01"])
def test_body_that_is_no_object(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        unpack(Kind.NAMESPACE, body)
