"""TLS between a real CoreDNS and ``grpcdns serve``."""
