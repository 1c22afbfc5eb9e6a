"""Makes the pictures of docs/pictures: `top` and `explain` on a terminal, the page in a browser,
and the dashboard.

    python -m tools.pictures

A real ``grpcdns serve`` of examples/cluster is queried for a minute, and one of its objects changes
meanwhile. What the commands write is drawn by rich; the page is taken in a headless Chromium.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from harness.chromium import Chromium
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES, ROOT
from harness.ports import free_address
from harness.terminal import Terminal
from harness.waiting import wait_until
from tools import dashboard

PICTURES: Final = ROOT / "docs" / "pictures"
WIDTH: Final = 110
GRPCDNS: Final = (sys.executable, "-m", "grpcdns")
WEB: Final = "web.default.svc.cluster.local."
ASKED: Final = {
    WEB: 5,
    "xecho.default.svc.cluster.local.": 3,
    "database.default.svc.cluster.local.": 2,
    "wbe.default.svc.cluster.local.": 2,
    "www.example.org.default.svc.cluster.local.": 2,
    "web.shop.svc.cluster.local.": 1,
}
"""Names, and how often each is asked in a round."""
SECONDS: Final = 60.0


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="grpcdns-pictures-") as folder:
        manifests = Path(shutil.copytree(EXAMPLES, Path(folder, "cluster")))
        pods = manifests / "headless.yaml"  # one of them is not ready
        pods.write_text(pods.read_text().replace('status: "True"', 'status: "False"', 1))
        listen = tuple(f"unix://{folder}/{number}.sock" for number in (0, 1))
        at = free_address()
        options = ("--manifests", manifests, "--upstream", "none", "--admin", str(at))
        with Grpcdns(*options, listen=listen) as serve:
            draw("top", _top(serve, manifests), folder)
            _take_pages(f"http://{at}", str(manifests))
    words = ("explain", WEB, "--manifests", EXAMPLES.relative_to(ROOT), "--upstream", "none")
    with Terminal([*GRPCDNS, *words], width=WIDTH, height=40) as terminal:
        terminal.wait()
        draw("explain", terminal.coloured(), "")
    (PICTURES / "dashboard.svg").write_text(dashboard.draw(dashboard.record(2 * SECONDS)))


def _take_pages(url: str, folder: str) -> None:
    """``folder`` is shown as one that people have."""
    asked = "headless.default.svc.cluster.local."
    with Chromium() as browser:
        page = browser.page(width=800, height=300)
        for name, path, height in (
            ("page", "/", 1150),
            ("page-explain", f"/explain?name={asked}&type=A", 0),
        ):
            page.open(url)  # the reasons are worked out now
            page.open(url + path)
            shown = f"document.body.innerHTML.replaceAll('{folder}', '/etc/grpcdns/manifests')"
            page.run(f"document.body.innerHTML = {shown}")
            (PICTURES / f"{name}.png").write_bytes(page.screenshot(height=height))


def _top(serve: Grpcdns, manifests: Path) -> str:
    with (
        _queries(serve),
        Terminal([*GRPCDNS, "top", "--server", serve.listen[0]], width=WIDTH, height=36) as top,
    ):
        threading.Event().wait(SECONDS)
        file = next(one for one in manifests.rglob("*.yaml") if "10.96.7.7" in one.read_text())
        file.write_text(file.read_text().replace("10.96.7.7", "10.96.7.8"))
        wait_until(lambda: "-10.96.7.7" in top.screen(), "the change is shown", timeout=30.0)
        return top.coloured()


@contextmanager
def _queries(serve: Grpcdns) -> Iterator[None]:
    """Asks in a thread, until the end of the block."""
    end = threading.Event()

    def ask() -> None:
        for round_ in range(1 << 30):
            for name, times in ASKED.items():
                for _ in range(times):
                    serve.ask(name, worker=round_ % 2)
            if end.wait(0.2):
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def draw(name: str, coloured: str, folder: str) -> None:
    """Writes an SVG without fonts from elsewhere; ``folder`` is shown as one that people have."""
    shown = coloured.replace(folder, "/run/grpcdns") if folder else coloured
    lines = [line.rstrip() for line in shown.splitlines() if "q quits" not in line]
    console = Console(record=True, width=WIDTH, file=io.StringIO(), color_system="truecolor")
    console.print(Text.from_ansi("\n".join(lines).strip("\n")), no_wrap=True, crop=True)
    svg = console.export_svg(title=f"grpcdns {name}", unique_id=f"grpcdns-{name}")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (PICTURES / f"{name}.svg").write_text(svg)


if __name__ == "__main__":
    main()
