"""Experiments of grpcio that the transports run with. grpcio reads them when it is imported."""

from __future__ import annotations

import os
from typing import Final

VARIABLE: Final = "GRPC_EXPERIMENTS"
# Without event_engine_listener, a thread that polls a completion queue of grpcio reads the sockets
# itself; with it, threads of grpcio's core hand each event over, at the price of two context
# switches: a quarter of the CPU time of a query. With fuse_filters, the filters that a call passes
# through are merged into one: another sixth.
EXPERIMENTS: Final = "-event_engine_listener,fuse_filters"


def set_experiments() -> None:
    """Set the variable, unless the user has. Call it before grpc is imported, in a worker only:
    this changes the process's environment."""
    os.environ.setdefault(VARIABLE, EXPERIMENTS)
