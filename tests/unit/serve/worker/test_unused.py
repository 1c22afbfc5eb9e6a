"""What grpcio imports and a worker does not use is there when it is used."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = """
import logging, sys
from grpcdns.serve.worker.unused import load_when_used
load_when_used()
import grpcdns.serve.worker.process
logging.getLogger("x").warning("a line")
assert "grpc" in sys.modules
assert not {"asyncio.events", "grpc.aio._server", "ssl"} & set(sys.modules), "loaded"
"""


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.returncode, done.stderr


def test_a_worker_starts_without_asyncio() -> None:
    run(IMPORTS)


def test_what_uses_it_gets_the_real_one() -> None:
    run(IMPORTS + "import asyncio, grpc.aio\nasync def five(): return 5\n"
        "assert asyncio.run(five()) == 5\nassert grpc.aio.server.__module__ == 'grpc.aio._server'\n"
        "assert asyncio.__spec__.name == 'asyncio'\n"
        "assert not hasattr(asyncio, 'nonsense')")  # fmt: skip


def test_a_part_of_it_can_be_imported_first() -> None:
    run(IMPORTS + "from asyncio.events import get_event_loop\nimport asyncio\n"
        "assert asyncio.get_event_loop is get_event_loop")  # fmt: skip


def test_threads_that_use_it_at_once_all_get_it() -> None:
    run(IMPORTS + "import asyncio\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    found = list(pool.map(lambda _: asyncio.Future, range(64)))\n"
        "assert len(set(found)) == 1")  # fmt: skip
