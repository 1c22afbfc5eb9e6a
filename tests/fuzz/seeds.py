"""Writes the seed corpus: ``python -m tests.fuzz.seeds``. The same seeds every time."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import yaml

from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.serve import link
from grpcdns.serve.worker.transport.packet import to_wire
from harness.paths import ROOT
from tests.conformance.cluster import OBJECTS
from tests.conformance.reply import name_wire, query
from tests.fuzz import corpus
from tests.fuzz.world import BY_KIND, objects

_COREFILES: Final = ROOT / "corefile"
_NAMES: Final = (
    ("svc1.testns.svc.cluster.local", "A"), ("hdls.testns.svc.cluster.local", "SRV"),
    ("ext.testns.svc.cluster.local", "AAAA"), ("1.1.244.10.in-addr.arpa", "PTR"),
    ("cluster.local", "NS"), ("cluster.local", "SOA"), ("dns-version.cluster.local", "TXT"),
    ("nothing.testns.svc.cluster.local", "A"), ("example.com", "A"), ("cluster.local", "AXFR"),
    ("lb.testns.outside.example", "A"), ("SvC1.TeStNs.svc.CLUSTER.local", "HTTPS"),
)  # fmt: skip
_OPT: Final = struct.pack("!BHHLH", 0, 41, 1232, 0, 0)
_EDNS1: Final = struct.pack("!BHHLH", 0, 41, 1232, 1 << 16, 0)
_COOKIE: Final = struct.pack("!BHHLHHHQ", 0, 41, 1232, 0x8000, 12, 10, 8, 1)
_TSIG: Final = b"\x03key\0" + struct.pack("!HHLH", 250, 255, 0, 4) + b"\0" * 4


def messages() -> Iterator[tuple[str, bytes]]:
    """Valid queries, and one for each way to be invalid."""
    for name, qtype in _NAMES:
        yield f"{name}-{qtype}", query(name, qtype)
    plain = query("svc1.testns.svc.cluster.local", "A")
    for title, extra in (("opt", _OPT), ("edns1", _EDNS1), ("cookie", _COOKIE), ("tsig", _TSIG)):
        yield title, plain[:11] + b"\1" + plain[12:] + extra
    yield "two-opts", plain[:11] + b"\2" + plain[12:] + _OPT + _OPT
    yield "trailing", plain + b"trailing"
    yield "header-only", plain[:12]
    yield "counts-of-65535", plain[:4] + b"\xff" * 8
    yield "two-questions", plain[:5] + b"\2" + plain[6:] + plain[12:]
    yield "pointer-to-itself", plain[:12] + b"\xc0\x0c\0\1\0\1"
    yield "pointer-to-header", plain[:12] + b"\xc0\0\0\1\0\1"
    yield "long-label", plain[:12] + b"\x40" + b"a" * 64 + name_wire("svc") + b"\0\1\0\1"
    yield "long-name", plain[:12] + b"\1a" * 128 + b"\0\0\1\0\1"
    yield "nul-in-label", plain[:12] + b"\3a\0b" + plain[12:]
    yield "update", plain[:2] + b"\x28" + plain[3:]
    yield "notify", plain[:2] + b"\x20" + plain[3:]
    yield "response", plain[:2] + b"\x81" + plain[3:]
    yield "chaos", plain[:-1] + b"\3"
    yield "empty", b""


def packets() -> Iterator[tuple[str, bytes]]:
    """The messages as DnsPackets, and odd encodings."""
    for title, message in messages():
        yield title, to_wire(message)
    yield "unknown-field", b"\x12\1a" + to_wire(b"abc")
    yield "twice", to_wire(b"a") + to_wire(b"b")
    yield "long-varint", b"\x0a\x83\x80\x80\x00abc"
    yield "too-long", b"\x0a\x7fabc"
    yield "group", b"\x0b\x0c"


def drawn() -> Iterator[tuple[str, bytes]]:
    """For targets that draw: the octets have no structure of their own."""
    dice = random.Random(53)
    for size in (4, 8, 16, 32, 64, 64, 128, 128, 256):
        yield f"random-{size}-{dice.randrange(1000)}", dice.randbytes(size)


def json_seeds() -> Iterator[tuple[str, bytes]]:
    """One object of each shape: alone, in a list, in a watch."""
    kinds = tuple(Kind)
    for obj in OBJECTS[::9]:
        kind = BY_KIND[obj["kind"]]
        text = msgspec.json.encode(obj)
        name = f"{obj['kind']}-{obj['metadata']['name'][:20]}"
        first = bytes([kinds.index(kind)])
        yield name, first + text
        yield f"{name}-list", first + b'{"metadata":{},"items":[' + text + b"]}"
        yield f"{name}-event", first + b'{"type":"MODIFIED","object":' + text + b"}"
    yield "bookmark", b'\1{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}'
    yield "gone", b'\1{"type":"ERROR","object":{"code":410,"reason":"Expired"}}'
    yield "nulls", b'\2{"metadata":{"name":"a"},"endpoints":null,"ports":null}'


def body_seeds() -> Iterator[tuple[str, bytes]]:
    """Packed objects behind three choices: kind, policy, key."""
    for number, kind in enumerate(Kind):
        for key, body in objects()[kind][::12]:
            yield f"{kind.name}-{key.replace(' ', '')[:24]}", bytes([number, 0, 0]) + body


def frame_seeds() -> Iterator[tuple[str, bytes]]:
    body = pack_service()
    for message in (
        link.Hello("worker 0", True),
        link.Listing(Kind.SERVICE, 1),
        link.Objects(Kind.SERVICE, (("a/a", body),)),
        link.Listed(Kind.SERVICE),
        link.Changes((Change(Kind.SERVICE, "a/a", None, 1),)),
        link.State(True, 1.0),
        link.Ask(1),
        link.Report(1, (("calls", "", 1.0),)),
    ):
        yield type(message).__name__, b"\x07" + link.to_frame(message)


def pack_service() -> bytes:
    return objects()[Kind.SERVICE][0][1]


def manifest_seeds() -> Iterator[tuple[str, bytes]]:
    for obj in OBJECTS[::11]:
        yield f"{obj['kind']}-{obj['metadata']['name'][:20]}", yaml.safe_dump(obj).encode()
    listed = {"apiVersion": "v1", "kind": "List", "items": OBJECTS[5:8]}
    yield "list", yaml.safe_dump(listed).encode()
    yield "json", msgspec.json.encode(listed)
    yield "aliases", b"kind: Service\nmetadata: &a {name: a}\nspec: *a\n"
    yield "tabs", b"kind:\tService\n"


def corefile_seeds() -> Iterator[tuple[str, bytes]]:
    for path in sorted(_COREFILES.glob("*")):
        if path.is_file() and path.suffix in (".Corefile", ""):
            yield path.name, path.read_bytes()
    yield "one-line", b". { grpc . 127.0.0.1 { except a.b } }"
    yield "snippet", b'(s) {\n errors\n}\n.:53 {\n import s\n grpc . unix:///x {$A} "q q" # c\n}\n'


def selector_seeds() -> Iterator[tuple[str, bytes]]:
    texts = ("a=b", "a==b,c!=d", "a in (b, c)", "!a,x.y/z", "a notin ()", "")
    for number, text in enumerate(texts):
        yield str(number), text.encode()


SEEDS: Final[dict[str, Callable[[], Iterator[tuple[str, bytes]]]]] = {
    "packet": packets,
    "message": messages,
    "query": drawn,
    "names": messages,
    "upstream": drawn,
    "changes": drawn,
    "bodies": body_seeds,
    "objects": drawn,
    "json": json_seeds,
    "frames": frame_seeds,
    "snapshot": drawn,
    "manifest": manifest_seeds,
    "corefile": corefile_seeds,
    "selector": selector_seeds,
}

if __name__ == "__main__":
    for target, make in SEEDS.items():
        corpus.write(target, dict(make()))
