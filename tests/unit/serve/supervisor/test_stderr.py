"""What a child writes to its fd 2, read in whatever pieces it comes."""

from __future__ import annotations

import os

import pytest

from grpcdns import log
from grpcdns.serve.supervisor.stderr import Stderr


@pytest.fixture
def relayed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    found: list[bytes] = []
    monkeypatch.setattr(log, "relay", lambda _process, *lines: found.extend(lines))
    return found


@pytest.fixture
def stderr() -> Stderr:
    return Stderr("worker-0")


def test_lines_in_pieces(stderr: Stderr, relayed: list[bytes]) -> None:
    for piece in (b"one\ntw", b"o", b"\n\nthr", b"ee"):
        os.write(stderr.writer, piece)
        assert stderr.read() == len(piece)
    assert relayed == [b"one", b"two", b""]
    with pytest.raises(BlockingIOError):
        stderr.read()
    os.write(stderr.writer, b"!\nlast words")
    os.close(stderr.writer)
    stderr.finish()
    assert relayed[3:] == [b"three!", b"last words"]


def test_a_line_without_end(stderr: Stderr, relayed: list[bytes]) -> None:
    os.write(stderr.writer, b"x" * 40_000)
    stderr.read()
    assert list(map(len, relayed)) == [1 << 14, 1 << 14]
    os.close(stderr.writer)
    stderr.finish()
    assert b"".join(relayed) == b"x" * 40_000


def test_a_full_pipe_blocks_nobody(stderr: Stderr, relayed: list[bytes]) -> None:
    def fill() -> None:
        for _ in range(1 << 10):
            os.write(stderr.writer, b"y" * 4095 + b"\n")

    with pytest.raises(BlockingIOError):
        fill()
    assert stderr.read()
    os.write(stderr.writer, b"later\n")
    stderr.finish()  # another process may still have the other end
    os.close(stderr.writer)
    assert relayed[0] == b"y" * 4095
    assert b"later" in relayed


def test_a_crash_is_one_line_with_its_stack(stderr: Stderr, relayed: list[bytes]) -> None:
    stack = b"Thread 0x1 (most recent call first):\n  File a.py, line 1 in b\n"
    os.write(stderr.writer, b"free(): invalid pointer\nFatal Python error: Aborted\n\n" + stack)
    stderr.read()
    assert relayed == [b"free(): invalid pointer"], "not before its end"
    os.close(stderr.writer)
    stderr.finish()
    assert relayed[1:] == [b"Fatal Python error: Aborted", b"\n" + stack]
