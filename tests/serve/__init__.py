"""`grpcdns.serve`: the gRPC edge on both transports, the link, the processes and their faults."""
