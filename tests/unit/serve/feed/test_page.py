"""The page as text: what is escaped, what is bounded, and colours that can be told apart."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

import msgspec
import pytest

from grpcdns.core.dns.names import BadName
from grpcdns.core.inspect import picture
from grpcdns.core.inspect.explanation import (
    Explanation,
    HeldObject,
    LeftOut,
    Source,
    Suggestion,
)
from grpcdns.core.inspect.picture import Node
from grpcdns.serve.feed import admin
from grpcdns.serve.feed.http import Request
from grpcdns.serve.feed.inspector import Explained, read_question
from grpcdns.serve.feed.page.markup import Markup, ago, duration, h, visible
from grpcdns.serve.feed.page.page import explain_page, status_page
from grpcdns.serve.feed.page.plots import plots
from grpcdns.serve.status import (
    Api,
    AskedName,
    KindState,
    Names,
    ObjectChange,
    Point,
    Process,
    Reached,
    Status,
    VainName,
)
from harness.paths import ROOT

EVIL: Final = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>\u202egnp.exe"
ASSETS: Final = ROOT / "grpcdns" / "serve" / "feed" / "page" / "assets"


def status(text: str = "web", count: int = 3) -> Status:
    """A Status with this text wherever text from outside can be."""
    vain = VainName(name=text, type="A", outcome="NXDOMAIN", count=9, reason=text, suggestion=text)
    change = ObjectChange(
        at=90.0, kind="Service", key=text, what="changed", before=text, after=text + "2",
        detail=text, workers=(Reached(worker=text, seconds=0.5, how="change"),),
    )  # fmt: skip
    process = Process(
        name=text, state="down", pid=0, restarts=3, since=9.0, cpu=1.5, memory=1 << 20
    )
    kind = KindState(name=text, objects=5, listed=False, heard=None, lost_since=9.0, problem=text)
    point = Point(at=50.0, seconds=10.0, queries=4, rcodes={text: 4}, p50=0.001, p99=0.004)
    asked = AskedName(name=text, type="A", outcome="NOERROR", count=5)
    return Status(
        at=100.0, version="1", revision=text, ready=False, problems=(text,) * count,
        processes=(process,) * count, workers=(), kinds=(kind,),
        api=Api(source=text, state="lost", heard=3.0, lost_since=9.0, restored=0.0, guard=text,
                held_services=1),
        history=(point,), changes=(change,) * count,
        names=Names(since=1.0, asked=(asked,) * count, vain=(vain,) * count, errors={}),
    )  # fmt: skip


class Reader(HTMLParser):
    """The tags of a page, and the attributes that could run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, int] = {}
        self.active: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        self.active += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_hostile_text_is_text() -> None:
    page = status_page(status(EVIL))
    evil, good = read(page), read(status_page(status()))
    assert evil.tags == good.tags, "the same elements, whatever the text"
    assert not evil.active
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "\\u{202e}" in page


def test_lists_are_bounded() -> None:
    assert len(status_page(status("x" * 63, 5000))) < 1 << 23
    assert read(status_page(status("web", 5000))).tags["li"] < 100


def explained(text: str = "web", count: int = 3) -> Explained:
    """An explanation with this text wherever text from outside can be, and lists of this length."""
    leaf = Node("endpoint", text, picture.OUT, says=text, reason=text)
    tree = Node("Service", text, picture.IN, says=text, children=(leaf,), more=3)
    return Explained(
        Explanation(
            name=text, qtype="A", rcode="NXDOMAIN", zone=text, asks=text,
            answer=(text,) * count, authority=(text,), additional=(text,),
            lookups=tuple(f"{text}{number}" for number in range(count)),
            sources=(Source("Service", text, text),) * count,
            left_out=(LeftOut(text, text, text),) * count,
            suggestions=(Suggestion(text, "A", text),) * count,
            serial=5,
            held=(HeldObject(text, text, 5),) * count,
        ),
        (tree,),
        (text,),
    )  # fmt: skip


def test_hostile_text_of_an_explanation_is_text() -> None:
    page = explain_page(EVIL, EVIL, explained(EVIL), status(EVIL))
    evil, good = read(page), read(explain_page("web", "A", explained(), status()))
    assert evil.tags == good.tags
    assert not evil.active
    assert all(one.startswith(("/", "#")) for one in evil.links)
    assert "/api/explain?name=web&type=A" in read(explain_page("web", "A", "?", status())).links
    assert "\u202e" not in page
    refused = explain_page(EVIL, EVIL, EVIL, status(EVIL))
    assert read(refused).tags == read(explain_page("web", "A", "web", status())).tags


def test_lists_of_an_explanation_are_bounded() -> None:
    page = explain_page("web", "A", explained(count=5000), status())
    assert read(page).tags["li"] < 600
    assert page.count("and 4900 more") == 3, "records, what is left out, what is held"
    assert "and 3 more" in page, "endpoints"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a b"),
        ("שלום", "שלום"),
        ("a\u200fb\u2066", "a\\u{200f}b\\u{2066}"),
        ("\x1b[31m\n\0", "\\u{001b}[31m\\u{000a}\\u{0000}"),
        ("\udc80", "\\u{dc80}"),
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    h("p", text).encode()


def test_elements() -> None:
    assert h("a", "<", Markup("<b>"), [1, None], class_="x", hidden=True, id=None) == (
        '<a class="x" hidden>&lt;<b>1</a>'
    )
    assert h("input", value='"') == '<input value="&quot;">'


def test_times() -> None:
    found = [ago(one) for one in (0, 59.6, 300, 5400, 100_000, 900_000)]
    assert found == ["0 s", "60 s", "5 min", "90 min", "27.8 h", "10 d"]
    assert [duration(one) for one in (None, 0.0004, 0.12, 1.26)] == [
        "-",
        "0.4 ms",
        "120 ms",
        "1.3 s",
    ]


def test_a_gap_breaks_the_line_of_a_plot() -> None:
    def point(at: float) -> Point:
        return Point(at=at - 10, seconds=10.0, queries=5, rcodes={}, p50=0.001, p99=0.002)

    whole = plots([point(at) for at in (100.0, 110.0, 120.0)], 130.0)
    broken = plots([point(at) for at in (100.0, 110.0, 200.0)], 230.0)
    assert broken.count("<polyline") > whole.count("<polyline")
    assert "queries 0.5 (highest 0.5)" in whole
    assert "nan" not in plots([], 1.0)


@pytest.mark.parametrize(
    ("host", "headers", "code"),
    [
        ("", {"host": "localhost:8080"}, None),
        ("", {"host": "127.0.0.1"}, None),
        ("", {"host": "[::1]:80"}, None),
        ("", {"host": "10.0.0.7:80"}, None),
        ("admin.example", {"host": "admin.example:80"}, None),
        ("", {}, 403),
        ("", {"host": ""}, 403),
        ("", {"host": "evil.example"}, 403),
        ("", {"host": "127.0.0.1.evil.example:8080"}, 403),
        ("", {"host": "localhost.evil.example"}, 403),
        ("", {"host": "localhost, evil.example"}, 403),
        ("", {"host": "localhost:8080@evil.example"}, 403),
        ("", {"host": "localhost", "sec-fetch-site": "same-origin"}, None),
        ("", {"host": "localhost", "sec-fetch-site": "none"}, None),
        ("", {"host": "localhost", "sec-fetch-site": "cross-site"}, 403),
        ("", {"host": "localhost", "sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
        ("", {"host": "localhost", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate",
              "sec-fetch-dest": "document"}, None),
        ("", {"host": "localhost", "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate",
              "sec-fetch-dest": "iframe"}, 403),
    ],
)  # fmt: skip
def test_who_is_refused(host: str, headers: dict[str, str], code: int | None) -> None:
    found = admin.refusal(Request("GET", "/", "", headers), host)
    assert (found.status if found else None) == code


def test_what_somebody_types() -> None:
    assert read_question(" 10.0.0.1 ", "A").qtype == 12
    assert read_question("fd00::1", "AAAA").name[-2:] == ("ip6", "arpa")
    assert read_question("Web.Default.", "srv").name == ("web", "default")
    for name, qtype in (("a" * 64, "A"), ("a", "NOPE"), ("\\999", "A"), ("a..b", "A")):
        with pytest.raises(BadName):
            read_question(name, qtype)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    """WCAG 2.2 1.4.3 and 1.4.11: text has 4.5, edges that carry meaning have 3."""
    blocks = re.findall(r":root \{(.*?)\}", (ASSETS / "style.css").read_text(), re.S)
    found = blocks[0] if scheme == "light" else blocks[1]
    colours = dict(re.findall(r"--(\w+): (#\w{6});", found))
    for ground in ("ground", "box"):
        for name in ("text", "quiet", "link", "good", "bad", "warn"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
    assert contrast(colours["edge"], colours["ground"]) >= 3


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_nothing_from_elsewhere() -> None:
    for asset in ASSETS.iterdir():
        text = asset.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "//" not in re.sub(r"^// .*|; // .*", "", text, flags=re.M), asset.name
    assert "http" not in status_page(status())
    assert msgspec.json.decode(msgspec.json.encode(status()), type=Status) == status()
