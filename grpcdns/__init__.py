"""grpcdns: the Kubernetes backend behind CoreDNS's ``grpc`` plugin."""

__version__ = "0.1.0"
