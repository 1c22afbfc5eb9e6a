"""A real control plane, grpcdns and CoreDNS together."""
