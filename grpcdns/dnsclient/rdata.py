"""The text of RDATA that dnslib has read: presentation form (RFC 1035 5.1), names by
``core.dns.names``. Works on dnslib's objects without importing it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from grpcdns.core.dns import wire
from grpcdns.core.dns.names import Name, address_to_text, name_to_text


def name_of(label: Any) -> Name:
    """The name of a ``DNSLabel``, in its case."""
    return tuple(octets.decode("latin-1") for octets in label.label)


def _label_data(rdata: Any) -> str:
    return name_to_text(name_of(rdata.label))


def _aaaa_data(rdata: Any) -> str:
    return address_to_text(bytes(rdata.data))


def _mx_data(rdata: Any) -> str:
    return f"{rdata.preference} {name_to_text(name_of(rdata.label))}"


def _soa_data(rdata: Any) -> str:
    names = (name_to_text(name_of(name)) for name in (rdata.mname, rdata.rname))
    return " ".join([*names, *map(str, rdata.times)])


def _srv_data(rdata: Any) -> str:
    target = name_to_text(name_of(rdata.target))
    return f"{rdata.priority} {rdata.weight} {rdata.port} {target}"


def _txt_data(rdata: Any) -> str:
    return " ".join(map(_quoted, rdata.data)) or "\\# 0"


def _naptr_data(rdata: Any) -> str:
    texts = map(_quoted, (rdata.flags, rdata.service, rdata.regexp))
    replacement = name_to_text(name_of(rdata.replacement))
    return " ".join([str(rdata.order), str(rdata.preference), *texts, replacement])


def _caa_data(rdata: Any) -> str:
    return f"{rdata.flags} {rdata.tag} {_quoted(rdata.value.encode())}"


def _quoted(octets: bytes) -> str:
    """A character-string (RFC 1035 5.1)."""
    return '"' + "".join(_escaped(octets)) + '"'


def _escaped(octets: bytes) -> Iterator[str]:
    for octet in octets:
        char = chr(octet)
        yield "\\" + char if char in '"\\' else char if " " <= char <= "~" else f"\\{octet:03d}"


TEXT_OF: Final[dict[int, Callable[[Any], str]]] = {
    wire.A: str,
    wire.NS: _label_data,
    wire.CNAME: _label_data,
    wire.SOA: _soa_data,
    wire.PTR: _label_data,
    wire.MX: _mx_data,
    wire.TXT: _txt_data,
    wire.AAAA: _aaaa_data,
    wire.SRV: _srv_data,
    wire.TYPES["NAPTR"]: _naptr_data,
    wire.TYPES["CAA"]: _caa_data,
}
"""Type -> its RDATA in class IN as text. All else stays octets: ``\\# length hex``."""
