"""Both transports give the same reply, or the same status code, to the same octets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from tests.fuzz import corpus
from tests.fuzz.mutation import Mutator
from tests.fuzz.world import answer, pairs
from tests.transports import TRANSPORTS, method, serving, unix

Caller = Any
INPUTS = 1500


@pytest.fixture(scope="module")
def callers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Caller]]:
    folder = tmp_path_factory.mktemp("both")
    with ExitStack() as stack:
        found = []
        for name in sorted(TRANSPORTS):
            address = unix(folder, name)
            served = stack.enter_context(
                serving(name, address, lambda message: answer(pairs()[1].forgetful, message))
            )
            found.append(method(stack.enter_context(served.channel())))
        yield found


def say(caller: Caller, packet: bytes) -> object:
    try:
        return caller(packet, timeout=10.0)
    except grpc.RpcError as error:
        return error.code()


@pytest.mark.slow
def test_both_transports_agree(callers: list[Caller]) -> None:
    seeds = list(corpus.read("packet").values())
    mutator = Mutator(seeds, 7)
    odd = [b"", b"\x0a\xff\xff\x03" + bytes(65_535), bytes(65_539), bytes(65_540)]
    for packet in (*seeds, *odd, *(mutator.next() for _ in range(INPUTS))):
        first, second = (say(caller, packet) for caller in callers)
        assert first == second, packet.hex()[:200]
