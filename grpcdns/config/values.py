"""The text of an option -> its value: one parser a type, for flags, variables and files alike.

May live here: pure functions from the text (or TOML value) of one option to its value. Each raises
``ValueError`` with the reason; the caller adds the option's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from grpcdns.core.answers.policy import AUTO, REVERSE_ROOTS
from grpcdns.core.dns.names import reverse_zones as reverse_zones  # of the core, which needs it too

Parser = Callable[[Any], Any]

_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d*)?(?:us|ms|s|m|h))+|0")
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE: Final = re.compile(r"[a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?")
_ZONE_LABEL: Final = re.compile(r"[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})


# Scalars.


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"not a string: {value!r}")
    if "\n" in value or "\0" in value:
        raise ValueError("contains a line break or a NUL byte")
    return value.strip()


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = text(value).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{value!r} is neither true nor false")
    return word in _TRUE


def integer(low: int, high: int) -> Parser:
    def parse(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise ValueError(f"{value!r} is not a whole number")
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None
        if not low <= number <= high:
            raise ValueError(f"{number} is not between {low} and {high}")
        return number

    return parse


def number(low: float, high: float) -> Parser:
    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"{value!r} is not a number")
        try:
            result = float(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a number") from None
        if not low <= result <= high:  # also refuses NaN
            raise ValueError(f"{value} is not between {low:g} and {high:g}")
        return result

    return parse


def duration(low: float, high: float) -> Parser:
    """Seconds, from Go's notation ("1m30s", "500ms", "0"); in TOML also from a number."""

    def parse(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(f"{value!r} is not a duration such as 500ms, 5s or 1m30s")
        seconds = _seconds(value.strip()) if isinstance(value, str) else float(value)
        if not low <= seconds <= high:
            low_text, high_text = show_duration(low), show_duration(high)
            raise ValueError(f"{value} is not between {low_text} and {high_text}")
        return seconds

    return parse


def _seconds(written: str) -> float:
    if not _DURATION.fullmatch(written):
        raise ValueError(f"{written!r} is not a duration such as 500ms, 5s or 1m30s")
    parts = re.findall(r"([\d.]+)(us|ms|s|m|h)", written)
    return sum(float(count) * _UNITS[unit] for count, unit in parts)


def show_duration(seconds: float) -> str:
    """The shortest notation: 5s, 500ms, 24h."""
    for unit, size in (("h", 3600.0), ("m", 60.0), ("s", 1.0)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds * 1000:g}ms" if 0 < seconds < 1 else f"{seconds:g}s"


def choice(*words: str) -> Parser:
    def parse(value: Any) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return str(value)

    return parse


def many(parse_item: Parser, *, distinct: bool = False) -> Parser:
    """A tuple, from "a,b" or a list of such, in order. Duplicates are dropped, with ``distinct``
    refused."""

    def parse(value: Any) -> tuple[Any, ...]:
        parts = value if isinstance(value, list | tuple) else [value]
        items = [item.strip() for part in parts for item in text(part).split(",")]
        values = [parse_item(item) for item in items if item]
        flat = [v for value in values for v in (value if isinstance(value, tuple) else (value,))]
        once = tuple(dict.fromkeys(flat))
        if distinct and len(once) < len(flat):
            twice = next(value for value in once if flat.count(value) > 1)
            raise ValueError(f"{twice} is given twice")
        return once

    return parse


# Names.


def label(value: Any) -> str:
    """One DNS label as Kubernetes allows it (RFC 1123): at most 63 of a-z, 0-9 and -."""
    word = text(value).lower()
    if not _LABEL.fullmatch(word):
        raise ValueError(f"{value!r} is not a DNS label (a-z, 0-9 and -, at most 63)")
    return word


def zone_label(value: Any) -> str:
    """A topology zone in lower case: a label's value as Kubernetes allows it."""
    word = text(value).lower()
    if not _LABEL_VALUE.fullmatch(word):
        raise ValueError(f"{value!r} is not a label's value (a-z, 0-9, -, _ and ., at most 63)")
    return word


def subdomain(value: Any) -> str:
    """A node's name in lower case (RFC 1123): at most 253 of a-z, 0-9, - and dots."""
    word = text(value).lower()
    if len(word) > 253 or not all(_LABEL.fullmatch(part) for part in word.split(".")):
        raise ValueError(f"{value!r} is not a DNS name (a-z, 0-9, - and ., at most 253)")
    return word


def share(value: Any) -> str:
    """A number from 0 to 1, as text."""
    return f"{number(0, 1)(value):g}"


def namespaced_name(value: Any) -> str:
    namespace, slash, name = text(value).partition("/")
    if not slash:
        raise ValueError(f"{value!r} is not NAMESPACE/NAME")
    label(namespace)
    label(name)
    return f"{namespace}/{name}"


def cluster_zones(value: Any) -> tuple[str, ...]:
    """Zones, and "auto" for the reverse zones of the ServiceCIDRs, which comes with the zone
    cluster.local where no forward zone is given. A zone of that name is written "auto."."""
    zones: tuple[str, ...] = many(lambda word: (AUTO,) if word == AUTO else zone(word))(value)
    if AUTO in zones and all(one == AUTO or one.endswith(REVERSE_ROOTS) for one in zones):
        return ("cluster.local.", *zones)
    return zones


def zone(value: Any) -> tuple[str, ...]:
    """Zones of a domain name, or of a network in CIDR form: lower-case and absolute."""
    word = text(value).lower()
    if "/" in word:
        return reverse_zones(word)
    name = word.rstrip(".")
    if not name:
        raise ValueError("the root zone cannot be served: it would cover the whole internet")
    if len(name) > 253:
        raise ValueError(f"{name[:40]}... is longer than 253 characters")
    for part in name.split("."):
        if not _ZONE_LABEL.fullmatch(part):
            raise ValueError(f"{value!r} is not a domain name: label {part!r}")
    return (f"{name}.",)


# Addresses.


def listen_address(value: Any) -> str:
    """unix:///path, HOST:PORT or [v6]:PORT; ":PORT" is every address of the machine."""
    address = text(value)
    if address.startswith("unix:"):
        path = address.removeprefix("unix:").removeprefix("//")
        if not path.startswith("/"):
            raise ValueError(f"{address!r} is not unix:///absolute/path")
        if len(path.encode()) > 107:
            raise ValueError(f"{path} is longer than 107 bytes, the limit of a unix socket's path")
        return f"unix://{path}"
    if not _has_port(address):
        hint = _hint(address)
        raise ValueError(f"{address!r} is neither unix:///path nor HOST:PORT{hint}")
    return host_port(address)


EVERY_INTERFACE: Final = ("0.0.0.0:", "[::]:")
"""How an address begins that is every address of the machine."""


def host_port(value: Any) -> str:
    """HOST:PORT or [v6]:PORT; ":PORT" is every address of the machine."""
    address = text(value)
    if not _has_port(address) or "://" in address:
        raise ValueError(f"{address!r} is not HOST:PORT{_hint(address)}")
    host, _, port = address.rpartition(":")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{address!r}: write an IPv6 address in brackets, [::1]:{port}")
    _check_host(host.strip("[]"), address)
    return f"{host or '[::]'}:{int(port)}"


def is_private(address: str) -> bool:
    """Whether an address that `listen_address` has read is one that only this machine reaches: a
    unix socket, or a loopback address."""
    if address.startswith("unix:"):
        return True
    import ipaddress

    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def upstream_address(value: Any) -> str:
    """IP, IP:PORT or [v6]:PORT, returned with a port (53 by default); "none" gives ""."""
    address = text(value)
    if address.lower() in ("", "none"):
        return ""
    import ipaddress

    try:
        bare = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        pass
    else:
        return f"[{bare}]:53" if bare.version == 6 else f"{bare}:53"
    try:
        ipaddress.ip_address(address.rpartition(":")[0].strip("[]"))
        return host_port(address)
    except ValueError:
        raise ValueError(
            f"{address!r} is not an IP address with or without a port, as 10.0.0.1:53"
        ) from None


def _hint(address: str) -> str:
    """What may have been meant, in brackets."""
    if address.isdecimal():
        return f" (127.0.0.1:{address}; on all addresses :{address})"
    scheme, colon, rest = address.partition("://")
    if colon and scheme != "unix" and _has_port(rest):
        return f" (without {scheme}://: {rest})"
    return ""


def _has_port(address: str) -> bool:
    _, colon, port = address.rpartition(":")
    return bool(colon) and port.isascii() and port.isdigit() and int(port) <= 65535


def _check_host(host: str, address: str) -> None:
    import ipaddress

    try:
        ipaddress.ip_address(host)
    except ValueError:
        parts = host.lower().rstrip(".").split(".") if host else []
        if not all(_ZONE_LABEL.fullmatch(part) for part in parts):
            raise ValueError(f"{address!r}: {host!r} is neither an address nor a name") from None
        if parts and all(part.isdigit() for part in parts):
            raise ValueError(f"{address!r}: {host!r} is not an IPv4 address") from None
