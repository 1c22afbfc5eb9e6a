"""What a DNS question about a cluster is answered with, as plain functions over plain values.

Nothing here does I/O: no sockets, threads, clocks, logging, gRPC or Kubernetes client.
"""
