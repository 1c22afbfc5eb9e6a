"""Makes the pictures of docs/pictures: what ``top`` and ``explain`` print on a terminal.

    python -m tools.pictures

A real ``grpcdns serve`` of examples/cluster is queried for a minute, and one of its objects changes
meanwhile. What the commands write is drawn by rich.
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

from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES, ROOT
from harness.terminal import Terminal
from harness.waiting import wait_until

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
        listen = tuple(f"unix://{folder}/{number}.sock" for number in (0, 1))
        with Grpcdns("--manifests", manifests, "--upstream", "none", listen=listen) as serve:
            draw("top", _top(serve, manifests), folder)
    words = ("explain", WEB, "--manifests", EXAMPLES.relative_to(ROOT), "--upstream", "none")
    with Terminal([*GRPCDNS, *words], width=WIDTH, height=40) as terminal:
        terminal.wait()
        draw("explain", terminal.coloured(), "")


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
