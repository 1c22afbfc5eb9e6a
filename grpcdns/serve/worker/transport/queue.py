"""A completion queue of grpcio that a function of ours polls.

It stays Python where the lane is compiled: mypyc makes no subclass of a class that it has not made.
Private API, as in lane.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Poll = Callable[[float | None], Any]
"""Waits for an event until a time, None for ever; returns it."""


def make_queue(base: Any, serve: Callable[[Poll, float | None], Any]) -> Any:
    """A queue, of the class ``base``, for grpcio's server to poll. ``serve`` polls in its place,
    and returns only the events that are the server's."""

    class Queue(base):  # type: ignore[misc, unused-ignore]
        def poll(self, deadline: float | None = None) -> Any:
            return serve(super().poll, deadline)

    return Queue()
