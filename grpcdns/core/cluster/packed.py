"""What the commonest answers need of packed objects, read from the octets themselves.

Each function says so of what is not as `objects.pack` writes a plain object (held, say): then
the object has to be unpacked. Bodies have been read before, so they are whole.
"""

from __future__ import annotations

from typing import Final

_SERVICE_FIELDS: Final = 0x98
_SLICE_FIELDS: Final = 0x98
"""How an object that is not held begins: an array of eight."""
_ENDPOINT_FIELDS: Final = 0x96
_EXTERNAL_NAME: Final = b"\xacExternalName"
_IPV4: Final = b"\xa4IPv4"
_IPV6: Final = b"\xa4IPv6"
_NONE: Final = 0xC0
_TRUE: Final = 0xC3
_FIXED_ARRAY: Final = 0x90
_FIXED_TEXT: Final = 0xA0
_TEXT: Final = 0xD9
"""The first octets of msgpack's short forms; those of text up to 31 octets are below 0xC0."""


def cluster_ips(body: bytes) -> list[str] | None:
    """The cluster IPs of a Service; None for an ExternalName too."""
    if body[0] != _SERVICE_FIELDS:
        return None
    at = _after(body, _after(body, 1))
    if at < 0 or body[at : at + 13] == _EXTERNAL_NAME:
        return None
    return _texts(body, _after(body, at))


def add_ready(body: bytes, found: list[str]) -> int:
    """Add the addresses of a slice's ready endpoints to ``found``. Returns how many endpoints the
    slice has; -1 if it has more than fifteen, or one with details or several addresses."""
    if body[0] != _SLICE_FIELDS:
        return -1
    at = _after(body, _after(body, _after(body, 1)))
    if at < 0 or body[at : at + 5] not in (_IPV4, _IPV6):
        return -1
    count = body[at + 5] - _FIXED_ARRAY
    if not 0 <= count <= 15:
        return -1
    at += 6
    ready: list[str] = []
    for _ in range(count):
        # One address, then ready, hostname, pod, zone and details.
        if body[at] != _ENDPOINT_FIELDS or body[at + 1] != _FIXED_ARRAY + 1:
            return -1
        start = at + 2
        end = _after(body, start)
        if end < 0:
            return -1
        if body[end] == _TRUE:
            ready.append(body[start + 1 if body[start] < 0xC0 else start + 2 : end].decode())
        at = _after(body, _after(body, _after(body, end + 1)))
        if at < 0 or body[at] != _NONE:
            return -1
        at += 1
    found += ready
    return count


def _texts(body: bytes, at: int) -> list[str] | None:
    """An array of texts."""
    if at < 0:
        return None
    count = body[at] - _FIXED_ARRAY
    if not 0 <= count <= 15:
        return None
    at += 1
    found: list[str] = []
    for _ in range(count):
        end = _after(body, at)
        if end < 0:
            return None
        found.append(body[at + 1 if body[at] < 0xC0 else at + 2 : end].decode())
        at = end
    return found


def _after(body: bytes, at: int) -> int:
    """Where a text of up to 255 octets at ``at`` ends; -1 if there is none, or for -1."""
    if at < 0:
        return -1
    head = body[at]
    if _FIXED_TEXT <= head < 0xC0:
        return at + head - _FIXED_TEXT + 1
    return at + 2 + body[at + 1] if head == _TEXT else -1
