"""Attacks and mistakes of others: broken and forged queries, abuse of the gRPC edge, overload, and
objects made to harm other namespaces. SECURITY.md says who can do what."""
