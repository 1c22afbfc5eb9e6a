"""The question in each line that CoreDNS's ``log`` plugin writes, whatever stands around it."""

from __future__ import annotations

import time

import pytest

from grpcdns.cli.log_lines import COMBINED, COMMON, LONGEST, BadFormat, LogLines
from grpcdns.core.dns.names import name_to_text
from grpcdns.core.dns.wire import type_to_text

LINE = '10.0.0.9:4711 - 29008 "A IN web.default. udp 41 false 4096" NOERROR qr,aa,rd 68 0.03s'
CUSTOM = "{proto} Request: {name} {type} {>id}"
JSON = '{"query": {"name": "{name}", "type": "{type}"}, "rcode": "{rcode}"}'

Row = tuple[str, str, str | None]
ROWS: dict[str, Row] = {
    "common": (COMMON, f"[INFO] {LINE}", "web.default. A 29008"),
    "IPv6": (COMMON, f"[INFO] {LINE.replace('10.0.0.9', '[2001:db8::1]')}", "web.default. A 29008"),
    "no flags": (COMMON, LINE.replace("qr,aa,rd", ""), "web.default. A 29008"),
    "no reply": (COMMON, LINE.replace("qr,aa,rd", "-"), "web.default. A 29008"),
    "combined": (COMBINED, f'[INFO] {LINE} "0"', "web.default. A 29008"),
    "combined, read as common": (COMMON, f'[INFO] {LINE} "0"', "web.default. A 29008"),
    "kubectl logs --prefix --timestamps": (
        COMMON,
        f"[pod/coredns-5d78/coredns] 2026-01-31T12:00:00.1Z [INFO] {LINE}",
        "web.default. A 29008",
    ),
    "the container runtime": (
        COMMON,
        f"2026-01-31T12:00:00.1Z stdout F [INFO] {LINE}",
        "web.default. A 29008",
    ),
    "a collector, as JSON": (
        COMMON,
        '{"log":"[INFO] ' + LINE.replace('"', '\\"') + '\\n","stream":"stdout"}',
        "web.default. A 29008",
    ),
    "a custom format": (CUSTOM, "[INFO] udp Request: web.default. SRV 7", "web.default. SRV 7"),
    "a format with all of another": (
        "{common} {/metadata/pod}",
        f"[INFO] {LINE} default/web-1",
        "web.default. A 29008",
    ),
    "a format without ID": ("{type} {name}", "[INFO] PTR 1.ip6.arpa.", "1.ip6.arpa. PTR None"),
    "a format of JSON": (
        JSON,
        '[INFO] {"query": {"name": "web.", "type": "AAAA"}, "rcode": "NOERROR"}',
        "web. AAAA None",
    ),
    "a type of today": (COMMON, LINE.replace('"A ', '"HTTPS '), "web.default. HTTPS 29008"),
    "a type by number": (COMMON, LINE.replace('"A ', '"TYPE1 '), "web.default. A 29008"),
    "escapes": (
        COMMON,
        LINE.replace("web.default.", r"a\.b\"c\ d\200.default."),
        r"a\.b\"c\032d\200.default. A 29008",
    ),
    "the root": (COMMON, LINE.replace("web.default.", "."), ". A 29008"),
    "another class": (COMMON, LINE.replace(" IN ", " CH "), None),
    "no type": (COMMON, LINE.replace('"A ', '"None '), None),
    "a name that is none": (COMMON, LINE.replace("web.default.", "a..b."), None),
    "a label that is too long": (COMMON, LINE.replace("web", "a" * 64), None),
    "cut off": (COMMON, f"[INFO] {LINE}"[:60], None),
    "CoreDNS's start": (COMMON, "[INFO] plugin/reload: Running configuration SHA512 = 1", None),
    "an error that quotes": (
        COMMON,
        "[ERROR] plugin/errors: 2 web.default. A: read udp 10.0.0.9:1->10.0.0.1:53: i/o timeout",
        None,
    ),
    "nothing": (COMMON, "", None),
}  # fmt: skip


@pytest.mark.parametrize("about", ROWS)
def test_line(about: str) -> None:
    form, line, wanted = ROWS[about]
    found = LogLines(form).read(line)
    shown = found and (
        f"{name_to_text(found.question.name)} {type_to_text(found.question.qtype)} {found.id}"
    )
    assert shown == wanted


@pytest.mark.parametrize("form", ["{name}", "{type}", "", "text", "{name}{type}"])
def test_a_format_without_the_question(form: str) -> None:
    with pytest.raises(BadFormat, match=r"^no \{|^nothing between \{name\} and \{type\}$"):
        LogLines(form)


@pytest.mark.timed
@pytest.mark.parametrize("piece", ["{remote}:{port} - ", '10.0.0.9:1 - 1 "A IN ', "\\", '"', "a."])
def test_a_hostile_line_takes_no_time(piece: str) -> None:
    """As long as one that is read, in any of the formats; the line is not one of theirs."""
    line = (piece * LONGEST)[:LONGEST]
    for form in (COMMON, COMBINED, CUSTOM, JSON, "{type}.{name}.{rcode}.{proto}x"):
        read = LogLines(form).read
        began = time.process_time()
        read(line)
        assert time.process_time() - began < 1, form
