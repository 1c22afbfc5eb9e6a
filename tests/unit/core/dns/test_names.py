"""Names and addresses; reverse names are facts about the plugin, each with its id (ra, ir)."""

from __future__ import annotations

from typing import Final

import pytest

from grpcdns.core.dns.names import (
    BadName,
    address_from_reverse,
    address_from_text,
    address_to_text,
    is_reverse,
    name_from_text,
    name_to_text,
    name_to_wire,
    reverse_from_address,
)


def test_names() -> None:
    assert name_from_text(".") == name_from_text("") == ()
    assert name_to_text(()) == "."
    for bad in ("a..b", "x" * 64, "é" * 40 + "€", ".".join(["x" * 60] * 5)):
        with pytest.raises(BadName):
            name_from_text(bad)
    with pytest.raises(BadName, match="octets"):
        name_to_wire(("€",))
    for text in ("10.0.0.1", "fd00::", "2001:db8::1"):
        packed = address_from_text(text) or b""
        assert len(reverse_from_address(packed)) in (6, 34)
    assert address_from_text("10.0.0.1\0") is None
    assert address_from_text("010.0.0.1") is None


_AB: Final = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        pytest.param("54.119.58.176.in-addr.arpa.", "176.58.119.54", id="ra-01"),
        pytest.param(".58.176.in-addr.arpa.", None, id="ra-02"),
        pytest.param(f"{_AB}.in-addr.arpa.", None, id="ra-03"),
        pytest.param(f"{_AB}.ip6.arpa.", "2001:db8::567:89ab", id="ra-04"),
        pytest.param("d.0.1.0.0.2.ip6.arpa.", None, id="ra-05"),
        pytest.param("54.119.58.176.ip6.arpa.", None, id="ra-06"),
        pytest.param("NONAME", None, id="ra-07"),
        pytest.param("", None, id="ra-08"),
        pytest.param(f"x.{_AB}.ip6.arpa.", None, id="D6"),
        pytest.param("1.2.3.256.in-addr.arpa.", None, id="no octet"),
        pytest.param("1.2.3.04.in-addr.arpa.", None, id="octal"),
        pytest.param("7.0.2.0.0.0.0.c" + ".f" * 4 + ".0" * 20 + ".ip6.arpa.", "192.0.2.7",
                     id="IPv4-mapped is IPv4, as Go reads it"),
    ],
)  # fmt: skip
def test_address_from_reverse(name: str, address: str | None) -> None:
    found = address_from_reverse(tuple(name.removesuffix(".").split(".")))
    assert (found and address_to_text(found)) == address


@pytest.mark.parametrize(
    ("name", "reverse"),
    [
        pytest.param(f"{_AB}.ip6.arpa", True, id="ir-01"),
        pytest.param("d.0.1.0.0.2.in-addr.arpa", True, id="ir-02"),
        pytest.param("example.com", False, id="ir-03"),
        pytest.param("", False, id="ir-04"),
        pytest.param("in-addr.arpa.example.com", False, id="ir-05"),
    ],
)
def test_is_reverse(name: str, reverse: bool) -> None:
    assert is_reverse(tuple(name.split("."))) == reverse
