"""The processes of ``grpcdns serve``: supervisor, feed and workers, and the gRPC server.

May live here: everything that owns a socket, a thread, a signal or a clock. What is answered, and
why, is in `core`; where objects come from is in `source`. Of the processes, only the worker
imports grpc and only the feed imports a source.
"""

from __future__ import annotations

import os

# Read once, when grpc is imported. Without event_engine_listener a thread that polls a completion
# queue of grpcio's reads the sockets itself; with it, it is handed each event by threads of
# grpcio's core, at the price of two context switches: a quarter of the CPU time of a query. With
# fuse_filters the filters that a call passes through are merged into one: another sixth.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_listener,fuse_filters")
