"""A large dump is read as fast as it can be parsed, item by item, and other threads get their turn.

LARGE_MB=100 pytest -s tests/unit/source/manifests/test_large.py     prints speed and memory
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import yaml

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Kind
from grpcdns.source.manifests import source
from grpcdns.source.manifests.source import Manifests
from tests.unit.source.api.stage import RecordingSink
from tests.unit.source.manifests.dump import write_dump
from tests.unit.source.manifests.followed import Followed

MEGABYTES: Final = float(os.environ.get("LARGE_MB", "4"))


MEMORY: Final = """
import re, sys
from pathlib import Path
from grpcdns.config.options import Config
from grpcdns.source.manifests.source import Manifests

class Sink:
    def replace(self, kind, objects): return 0
    def note(self, what, kind=None, **fields): pass

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = peak()
Manifests(Config(manifests=(sys.argv[1],))).read(Sink())
print(peak() - before)
"""


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    path = tmp_path_factory.mktemp("large") / "services.yaml"
    return path, write_dump(path, MEGABYTES * 1e6)


@contextmanager
def full_collections() -> Iterator[list[float]]:
    """CPU seconds of each full garbage collection meanwhile."""
    found: list[float] = []
    began = 0.0

    def callback(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if info["generation"] == 2:
            if phase == "start":
                began = time.thread_time()
            else:
                found.append(time.thread_time() - began)

    gc.callbacks.append(callback)
    try:
        yield found
    finally:
        gc.callbacks.remove(callback)


@pytest.mark.timed
def test_speed_and_collections(dump: tuple[Path, int]) -> None:
    path, count = dump
    began = time.process_time()
    with full_collections() as collections:
        found = Followed(path).start()
    seconds = time.process_time() - began
    assert len(found.sink.store.bodies[Kind.SERVICE]) == count
    began = time.process_time()
    yaml.load(path.read_bytes(), yaml.CSafeLoader)
    before = time.process_time() - began
    print(f"{MEGABYTES:g} MB: {seconds:.1f} s of CPU time, {sum(collections):.2f} s in"
          f" {len(collections)} full collections; PyYAML alone: {before:.1f} s")  # fmt: skip
    assert seconds < before
    assert sum(collections) < 0.1 * seconds + 0.1


def test_memory(dump: tuple[Path, int]) -> None:
    """In a process that does nothing else: the file, and what is kept of it."""
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, str(dump[0])], capture_output=True, text=True, check=True
    )
    grown = int(run.stdout) / 1000
    print(f"{MEGABYTES:g} MB: {grown:.0f} MB of memory")
    assert grown < 2.2 * MEGABYTES + 20


@pytest.mark.timed
def test_other_threads_get_their_turn(dump: tuple[Path, int]) -> None:
    """The feed's heartbeat is one; counted in this thread's CPU time, for others may be running."""
    silences: list[float] = []
    done = threading.Event()

    def beat() -> None:
        last = time.process_time()
        while not done.wait(0.02):
            now = time.process_time()
            silences.append(now - last)
            last = now

    thread = threading.Thread(target=beat)
    thread.start()
    Followed(dump[0]).start()
    done.set()
    thread.join()
    assert max(silences) < 0.5


def test_progress_and_a_prompt_stop(
    dump: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(source, "PROGRESS", 0.0)
    caplog.set_level("INFO")
    manifests = Manifests(Config(manifests=(str(dump[0]),)))
    sink = RecordingSink()
    thread = threading.Thread(target=manifests.start, args=(sink,))
    thread.start()
    while "objects so far" not in caplog.text:
        assert thread.is_alive()
    manifests.stop()
    thread.join(2)
    assert not thread.is_alive()
    assert sink.calls == []
    assert f"reading {dump[0]} ({MEGABYTES:.1f} MB): 256 objects so far" in caplog.text
