"""Real servers for the tests: processes on free loopback ports, in temporary folders.

    from harness.cluster import Cluster      etcd, kube-apiserver, the controllers
    from harness.coredns import CoreDNS      a Corefile, run
    from harness.dns import ask              one DNS question, over UDP or TCP
    from harness.grpcurl import grpcurl      one gRPC call, by reflection

The binaries come from `harness.build`. Nothing here knows of `grpcdns`.
"""
