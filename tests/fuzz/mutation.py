"""Inputs mutated from inputs, without coverage: for when atheris is not installed."""

from __future__ import annotations

import random
from collections.abc import Sequence

_ODD = (
    b"\0", b"\xff", b"\xc0\x0c", b"\xff\xff", b"\0\0\x29", b"\x40", b"\x3f", b"null", b"-1", b"{}",
)  # fmt: skip


class Mutator:
    """Each ``next`` is a seed or a recent input with a few changes; one in twenty is random."""

    def __init__(self, seeds: Sequence[bytes], seed: int | None = None) -> None:
        self._dice = random.Random(seed)
        self._pool = [bytes(one) for one in seeds] or [b""]

    def next(self) -> bytes:
        dice = self._dice
        if dice.random() < 0.05:
            return dice.randbytes(dice.randrange(300))
        data = bytearray(dice.choice(self._pool))
        for _ in range(dice.randrange(1, 5)):
            self._change(data)
        made = bytes(data[:8192])
        if dice.random() < 0.01:  # some inputs are changed further
            self._pool.append(made)
            if len(self._pool) > 4000:
                self._pool.pop(dice.randrange(len(self._pool)))
        return made

    def _change(self, data: bytearray) -> None:
        dice = self._dice
        at = dice.randrange(len(data) + 1)
        size = dice.randrange(1, 9)
        way = dice.randrange(6)
        if way == 0:
            del data[at : at + size]
        elif way == 1:
            data[at:at] = dice.randbytes(size)
        elif way == 2:
            data[at:at] = dice.choice(_ODD)
        elif way == 3:
            other = dice.choice(self._pool)
            start = dice.randrange(len(other) + 1)
            data[at : at + dice.choice((0, size))] = other[start : start + dice.randrange(64)]
        elif data and way == 4:
            data[at % len(data)] ^= 1 << dice.randrange(8)
        elif data:
            data[at % len(data)] = dice.randrange(256)
