"""Questions about a cluster, and their answers: plain functions over plain values.

Five floors, each importing only those before it: ``dns`` (names and messages), ``cluster`` (what is
known of a cluster), ``answers`` (the rules), ``memo`` and ``handler`` (packed answers, octets to
octets), ``inspect`` (what commands show of answers).

No I/O here: no sockets, threads, clocks, logging, gRPC or Kubernetes client.
"""
