"""The processes of ``grpcdns serve``: supervisor, feed and workers, and the gRPC server.

May live here: everything that owns a socket, a thread, a signal or a clock. What is answered, and
why, is in `core`; where objects come from is in `source`. Of the processes, only the worker
imports grpc and only the feed imports a source.
"""
