"""Every test of the gRPC edge runs on both transports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from grpcdns.serve.transport import Answer
from tests.serve.edge import TRANSPORTS, Served, serving, unix

Serve = Callable[..., Served]


@pytest.fixture(params=sorted(TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def serve(transport: str, tmp_path: Path) -> Iterator[Serve]:
    """`serve(answer)`: a server on a unix socket, echoing unless told otherwise."""
    with ExitStack() as stack:

        def start(answer: Answer = bytes, address: str = "", **options: object) -> Served:
            where = address or unix(tmp_path)
            return stack.enter_context(serving(transport, where, answer, **options))  # type: ignore[arg-type]

        yield start
