"""The page in a real browser: as it is read, by keyboard, and with hostile names in it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final
from urllib.parse import quote

import pytest

from harness.chromium import Chromium, Page
from harness.grpcdns import Grpcdns
from harness.ports import Address, free_address
from harness.waiting import wait_until

pytestmark = pytest.mark.slow

LONG: Final = "l" * 63
SCRIPT: Final = "<script>alert(1)</script>"
OBJECTS: Final = f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: {LONG}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {LONG}, namespace: {LONG}}}
spec: {{clusterIP: None, ports: [{{name: http, port: 80}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {LONG}
  namespace: {LONG}
  labels: {{kubernetes.io/service-name: {LONG}}}
addressType: IPv4
ports: [{{name: http, port: 80}}]
endpoints:
- addresses: [10.1.0.1]
  hostname: {LONG}
- addresses: [10.1.0.2]
  conditions: {{ready: false}}
"""
NAME: Final = f"{LONG}.{LONG}.svc.cluster.local."
HOSTILE: Final = (
    f"{SCRIPT}.default.svc.cluster.local.",
    r"\"><img src=x onerror=alert(1)>.svc.cluster.local.",
    r"\226\128\174gpj.exe.default.svc.cluster.local.",
    f"{LONG}.{LONG}.{LONG}.default.svc.cluster.local.",
)


@pytest.fixture(scope="module")
def at() -> Address:
    return free_address()


@pytest.fixture(scope="module")
def metrics() -> Address:
    return free_address()


@pytest.fixture(scope="module")
def ours(
    at: Address, metrics: Address, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Grpcdns]:
    """The folder's name is shown as where the objects come from."""
    folder = tmp_path_factory.mktemp("page") / "<script>alert(2)<\u202e&quot;"
    folder.mkdir()
    (folder / "all.yaml").write_text(OBJECTS)
    options = (
        "--manifests", folder, "--upstream", "none", "--admin", str(at), "--metrics", str(metrics),
    )  # fmt: skip
    with Grpcdns(*options) as started:
        for worker in (0, 1):
            for name in (*HOSTILE, NAME):
                started.ask(name, worker=worker)
        yield started


@pytest.fixture
def url(ours: Grpcdns, at: Address) -> str:
    return f"http://localhost:{at.port}"


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1000])
def test_it_can_be_read(chromium: Chromium, url: str, width: int, dark: bool) -> None:
    """Nothing is cut off, scrolls sideways, or is complained about."""
    page = chromium.page(width=width, dark=dark)
    for path in ("/", f"/explain?name={NAME}&type=SRV", f"/explain?name={quote(SCRIPT)}"):
        page.open(url + path)
        assert page.run("document.documentElement.scrollWidth") <= width, path
        assert page.run("document.documentElement.scrollWidth > 0")
        ground = page.run("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, ground[4:-1].split(","))) < 300) is dark
    assert not page.complaints()


def test_hostile_names_are_text(chromium: Chromium, url: str) -> None:
    page = chromium.page()

    def text_with_reasons() -> str:
        page.open(url)
        text = str(page.run("document.body.innerText"))
        return text if "no such" in text else ""

    text = wait_until(text_with_reasons, "the reasons", timeout=20.0)
    assert r"<script>alert\(1\)</script>.default" in text
    assert r"\"><img\032src=x\032onerror=alert\(1\)>" in text
    assert "<script>alert(2)<\\u{202e}&quot;" in text
    assert "\\226\\128\\174gpj" in text
    assert LONG in text
    assert page.run("document.scripts.length") == 1
    assert page.run("document.images.length") == 0
    order = "[...document.querySelectorAll('.name')].every(e => e.tagName === 'BDI')"
    assert page.run(order)
    assert not page.complaints(), "no dialog, no error"


def test_the_policy_holds(chromium: Chromium, url: str) -> None:
    """What a name would do if it were not escaped."""
    page = chromium.page()
    page.open(url)
    page.run(
        "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"hacked=1\">"
        '<p style="color:red" id=styled>x</p>\')'
    )
    page.run(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'hacked=1'}))"
    )
    assert page.run("typeof hacked") == "undefined"
    assert page.run("getComputedStyle(styled).color") != "rgb(255, 0, 0)"
    outside = "fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')"
    assert page.run(outside) == "refused"
    violations = [one for one in page.complaints() if "Content Security Policy" in one]
    assert len(violations) >= 4


def test_another_site_gets_nothing(chromium: Chromium, url: str, metrics: Address) -> None:
    """A document of 127.0.0.1 asks localhost, which is another site for a browser."""
    page = chromium.page()
    page.open(f"http://{metrics}/healthz")
    ask = "fetch('{}', {{mode: '{}'}}).then(r => r.type + r.status, () => 'refused')"
    assert page.run(ask.format(f"http://{metrics}/healthz", "cors")) == "basic200"
    assert page.run(ask.format(f"{url}/api/status", "cors")) == "refused"
    assert page.run(ask.format(f"{url}/api/status", "no-cors")) in ("refused", "opaque0")
    frame = (
        f"document.body.append(Object.assign(document.createElement('iframe'), {{src: '{url}'}}))"
    )
    page.run(frame)
    refused = [one for one in page.complaints() if "403" in one or "frame" in one]
    assert refused


def test_the_form_by_keyboard(chromium: Chromium, url: str) -> None:
    page = chromium.page()
    page.open(url)
    for _ in range(10):
        page.press("Tab")
        if page.run("document.activeElement.id") == "name":
            break
    assert page.run("document.activeElement.labels[0].textContent") == "Name or address"
    page.write(NAME)
    page.press("Enter", loads=True)
    text = page.run("document.querySelector('main').innerText")
    assert "10.1.0.1" in text
    assert "left out: not ready" in text
    assert page.run("document.querySelectorAll('.node.in').length") >= 2
    assert page.run("document.getElementById('name').value") == NAME


def test_it_refreshes_itself(chromium: Chromium, url: str, ours: Grpcdns) -> None:
    page = chromium.page()
    page.open(url)
    assert "fresh.default" not in page.run("document.body.innerText")
    ours.ask("fresh.default.svc.cluster.local.")
    shown = "document.getElementById('vain').innerText.includes('fresh.default')"
    wait_until(lambda: page.run(shown), "the name without a reload", timeout=20.0)
    assert page.run("document.getElementById('live').innerText").startswith("Live")
    page.run("document.querySelector('#live button').click()")
    assert page.run("document.getElementById('live').innerText").startswith("Paused")
    assert not page.complaints()


Node = tuple[str, str]
"""The role of an element, and its name."""


def nodes(page: Page) -> list[Node]:
    """What a screen reader has of the page."""
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    return [(one["role"]["value"], one.get("name", {}).get("value", "")) for one in tree]


def test_it_needs_no_script(chromium: Chromium, url: str) -> None:
    page = chromium.page()
    page.without_scripts()
    page.open(url)
    names = nodes(page)
    headings = {name for role, name in names if role == "heading"}
    assert {"Asked in vain", "Queries", "Processes", "Cluster"} <= headings
    assert ("textbox", "Name or address") in names
    assert ("button", "Explain") in names
    assert {"table", "columnheader", "cell"} <= {role for role, _ in names}
    assert any(role in ("image", "img") and "Latency" in name for role, name in names)


def test_the_form_needs_no_script(chromium: Chromium, url: str) -> None:
    page = chromium.page()
    page.without_scripts()
    page.open(url)
    for _ in range(10):
        page.press("Tab")
        if focused(page) == "Name or address":
            break
    page.write(NAME)
    page.press("Enter", loads=True)
    text = " ".join(name for _, name in nodes(page))
    assert "10.1.0.1" in text
    assert "left out: not ready" in text


def focused(page: Page) -> str:
    """The name of the element that has the focus."""
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    for one in tree:
        has = {found["name"]: found["value"].get("value") for found in one.get("properties", ())}
        if has.get("focused") and one["role"]["value"] != "RootWebArea":
            return str(one.get("name", {}).get("value", ""))
    return ""


@pytest.mark.parametrize("path", ["/", f"/explain?name={NAME}&type=SRV"])
def test_a_screen_reader_has_names_and_an_order(chromium: Chromium, url: str, path: str) -> None:
    """WCAG 2.2 4.1.2, 1.3.1, 2.4.1: what can be operated has a name, headings skip no level."""
    page = chromium.page()
    page.open(url + path)
    names = nodes(page)
    operated = ("link", "button", "textbox", "searchbox", "combobox")
    assert all(name for role, name in names if role in operated)
    assert {"link", "button", "combobox"} <= {role for role, _ in names}
    assert {"main", "search"} <= {role for role, _ in names}
    levels = page.run("[...document.querySelectorAll('h1,h2,h3')].map(e => Number(e.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    page.press("Tab")
    assert page.run("document.activeElement.getAttribute('href')") == "#main"
    assert page.run("document.activeElement.getBoundingClientRect().left") >= 0, "it is seen"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_narrow_table_is_still_a_table(chromium: Chromium, url: str) -> None:
    """For a screen reader: its rows are blocks there."""
    page = chromium.page(width=400)
    page.open(url)
    assert {"table", "row", "cell"} <= {role for role, _ in nodes(page)}
