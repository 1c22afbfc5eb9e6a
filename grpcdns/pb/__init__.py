"""Generated from ``proto/dns.proto`` by ``make proto``; committed, never edited.

Imported by ``serve`` and ``cli`` only: it brings protobuf (and grpc) with it.
"""
