"""What others do to us: broken and forged queries, abuse of the gRPC edge, overload, and objects
made to hurt somebody else's names. Who can do what is in SECURITY.md."""
