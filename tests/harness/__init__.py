"""Real servers for the tests: processes on free loopback ports, in temporary folders.

    from tests.harness.cluster import Cluster      etcd, kube-apiserver, the controllers
    from tests.harness.coredns import CoreDNS      a Corefile, run
    from tests.harness.dns import ask              one DNS question, over UDP or TCP
    from tests.harness.grpcurl import grpcurl      one gRPC call, by reflection

The binaries come from `tests.servers.build`. Nothing here knows of `grpcdns`.
"""
