"""The feed process: reads the cluster from a source and sends what changes to every worker.

May live here: the process, its loop and its threads, the connections to the workers, the snapshot
and ``--metrics``. It never imports grpc.
"""
