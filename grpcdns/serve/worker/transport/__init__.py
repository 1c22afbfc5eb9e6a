"""The gRPC server: ``DnsService/Query`` on one of two transports, health and reflection beside it.

May live here: everything that knows grpcio. It sees DNS messages as octets and asks a `Servicer`
for their replies (`contract`).
"""
