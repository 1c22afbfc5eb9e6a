"""Domain names and addresses, between wire, labels and text.

A name is a tuple of labels, leftmost first, without the root: ``("www", "example", "org")``; the
root is ``()``. A label is a str of latin-1 characters: every octet that the wire can carry has its
own character, and a dot inside a label is no separator (RFC 2181 11).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final

Name = tuple[str, ...]

MAX_LABEL: Final = 63
MAX_NAME: Final = 255
MAPPED: Final = b"\x00" * 10 + b"\xff\xff"
_LENGTHS: Final = [bytes([length]) for length in range(MAX_LABEL + 1)]


class BadName(ValueError):
    """A name that does not fit the wire: an empty label, one over 63 octets, or over 255 in all."""


def name_from_text(text: str) -> Name:
    """The name in presentation form; a trailing dot changes nothing. Escapes are not read:
    that is `name_from_user`.

    Raises BadName when it does not fit the wire (RFC 1035 2.3.4).
    """
    name = tuple(text.removesuffix(".").split(".")) if text not in ("", ".") else ()
    name_to_wire(name)
    return name


def name_from_user(text: str) -> Name:
    r"""The name that somebody typed: ``\DDD`` and ``\X`` are read (RFC 1035 5.1), and what is not
    ASCII is written as IDNA has it (RFC 3490). Raises BadName."""
    labels = [""]
    for piece in _PIECES.findall("" if text == "." else text):
        if piece == ".":
            labels.append("")
        elif piece[0] != "\\":
            labels[-1] += piece if piece.isascii() else _to_idna(piece)
        elif len(piece) == 1 or (len(piece) == 4 and int(piece[1:]) > 255):
            raise BadName(f"{piece!r} is no escape: \\X or \\000 to \\255")
        else:
            labels[-1] += chr(int(piece[1:])) if len(piece) == 4 else piece[1]
    name = tuple(labels if labels[-1] else labels[:-1])
    name_to_wire(name)
    return name


_PIECES = re.compile(r"\\[0-9]{3}|\\.|\\|\.|[^.\\]+", re.DOTALL)


def _to_idna(text: str) -> str:
    try:
        return text.encode("idna").decode()
    except UnicodeError as error:
        raise BadName(f"{text!r} has no form in ASCII: {error}") from error


def name_to_text(name: Name) -> str:
    """Presentation form with a trailing dot, odd octets escaped (RFC 1035 5.1)."""
    return "".join(_label_to_text(label) + "." for label in name) or "."


def _label_to_text(label: str) -> str:
    if label.isalnum() and label.isascii():
        return label
    return "".join(_char_to_text(char) for char in label)


def _char_to_text(char: str) -> str:
    if char in '.\\"();@$':
        return "\\" + char
    return char if "!" <= char <= "~" else f"\\{ord(char):03d}"


def name_to_wire(name: Name) -> bytes:
    """Uncompressed wire form, its root octet included. Raises BadName."""
    wire = b"".join([label_to_wire(label) for label in name]) + b"\0"
    if len(wire) > MAX_NAME:
        raise BadName(f"name {name_to_text(name)!r} has {len(wire)} octets, over {MAX_NAME}")
    return wire


def label_to_wire(label: str) -> bytes:
    """A label with its length in front. Raises BadName."""
    try:
        octets = label.encode("latin-1")
    except UnicodeEncodeError:
        raise BadName(f"label {label!r} is not made of octets") from None
    length = len(octets)
    if not 0 < length <= MAX_LABEL:
        raise BadName(f"label {label!r} has {length} octets, not 1 to {MAX_LABEL}")
    return _LENGTHS[length] + octets


def fits_wire(name: Name) -> bool:
    """Whether a name made from objects' fields fits the wire."""
    try:
        name_to_wire(name)
    except BadName:
        return False
    return True


def name_from_wire(wire: bytes) -> Name:
    """The name, in lower case, of an uncompressed wire form. The caller knows that it is whole."""
    labels = []
    at = 0
    # The lower case of octets is that of ASCII alone.
    text = wire.lower().decode("latin-1")
    length = wire[0]
    while length:
        labels.append(text[at + 1 : at + 1 + length])
        at += 1 + length
        length = wire[at]
    return tuple(labels)


# DNS folds the case of ASCII letters alone (RFC 4343 3).
LOWER = {ord(upper): ord(upper) + 32 for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def is_below(name: Name, ancestor: Name) -> bool:
    """Whether ``name`` is ``ancestor`` or a name below it; both lower-case."""
    return not ancestor or name[-len(ancestor) :] == ancestor


def longest_match(name: Name, zones: dict[Name, None], most: int = MAX_NAME) -> Name | None:
    """The longest of ``zones`` that ``name`` is in, if any. ``most``: of their labels."""
    for start in range(max(0, len(name) - most), len(name) + 1):
        zone = name[start:]
        if zone in zones:
            return zone
    return None


def address_from_text(text: str) -> bytes | None:
    """4 or 16 octets, or None if the text is no address.

    An IPv4-mapped IPv6 address is read as the IPv4 address, as Go and so CoreDNS do.
    """
    try:
        return inet_pton(AF_INET, text)
    except (OSError, ValueError):
        pass
    try:
        packed = inet_pton(AF_INET6, text)
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(MAPPED) else packed


def addresses_from_texts(texts: Collection[str]) -> set[bytes]:
    """The addresses among the texts, as `address_from_text` reads them."""
    try:  # nearly always all of them are IPv4
        return {inet_pton(AF_INET, text) for text in texts}
    except (OSError, ValueError):
        return {packed for text in texts if (packed := address_from_text(text)) is not None}


def address_to_text(packed: bytes) -> str:
    """Canonical text of 4 or 16 octets (RFC 5952)."""
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


IN_ADDR: Name = ("in-addr", "arpa")
IP6: Name = ("ip6", "arpa")
_OCTETS = {str(number): number for number in range(256)}
_NIBBLES = frozenset("0123456789abcdef")


def is_reverse(name: Name) -> bool:
    """Whether a name is below in-addr.arpa or ip6.arpa."""
    return len(name) > 2 and name[-1] == "arpa" and name[-2] in ("in-addr", "ip6")


def address_from_reverse(name: Name) -> bytes | None:
    """The address whose PTR name this is (RFC 1035 3.5, RFC 3596 2.5); None for any other name."""
    if name[-2:] == IN_ADDR and len(name) == 6:
        try:
            return bytes(_OCTETS[label] for label in name[3::-1])
        except KeyError:
            return None
    if name[-2:] == IP6 and len(name) == 34 and all(label in _NIBBLES for label in name[:32]):
        packed = bytes.fromhex("".join(name[31::-1]))
        return packed[12:] if packed.startswith(MAPPED) else packed
    return None


def reverse_from_address(packed: bytes) -> Name:
    """The PTR name of an address."""
    if len(packed) == 4:
        return tuple(str(octet) for octet in reversed(packed)) + IN_ADDR
    return tuple(reversed(packed.hex())) + IP6


def reverse_zones(cidr: str) -> tuple[str, ...]:
    """The reverse zones of a network, split at octets (IPv4) or nibbles (IPv6) as CoreDNS does.

    10.96.0.0/12 is sixteen zones, 96.10.in-addr.arpa. to 111.10.in-addr.arpa. Host bits are
    ignored, as CoreDNS ignores them.
    """
    import ipaddress

    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        raise ValueError(f"{cidr!r} is not a network such as 10.96.0.0/12") from None
    if network.prefixlen == 0:
        raise ValueError(f"{cidr} is every address: name the cluster's own networks")
    step = 8 if network.version == 4 else 4
    parts = -(-network.prefixlen // step)
    labels = 4 if network.version == 4 else 32
    return tuple(
        ".".join(subnet.network_address.reverse_pointer.split(".")[labels - parts :]) + "."
        for subnet in network.subnets(new_prefix=parts * step)
    )


def reverse_zones_outside(cidr: str, zones: Collection[str]) -> list[str]:
    """The reverse zones of a network that lie in none of the zones. Raises ValueError."""
    return [
        reverse
        for reverse in reverse_zones(cidr)
        if not any(f".{reverse}".endswith(f".{zone}") for zone in zones)
    ]
