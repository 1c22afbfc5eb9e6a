"""Real servers for tests, benchmarks and the demo: processes on free loopback ports, in temporary
folders.

    build         builds the Go servers once, into a cache
    compiled      the compiled wheel of this checkout, built once
    go_build      `go build`, and how far it has come
    fixtures      the harness as pytest fixtures

    cluster       etcd, kube-apiserver and the controllers       with Cluster() as cluster:
    coredns       CoreDNS with a Corefile                        with CoreDNS(text) as coredns:
    grpcdns       `grpcdns serve`                                with Grpcdns(*options) as grpcdns:
    metrics       its HTTP pages: /metrics, /readyz, /healthz
    grpcurl       one gRPC call by reflection
    chromium      a headless browser
    chromium_package  where it is: on PATH, or from Debian in the cache

    api           a Kubernetes API client
    accounts      service accounts, their rights and credentials
    kubeconfig    kubeconfig files
    kubelet       Pods that run on no node
    objects       API objects as dicts, and files of them
    certificates  a certificate authority

    dns           one DNS query over UDP or TCP
    dns_server    a small DNS server that can misbehave
    steady        a client that queries at a fixed rate and counts losses
    wire          a TCP connection that can be cut or held

    process       a child process: start, stop, kill, freeze
    started       what `with` starts and ends
    terminal      a command on a pseudo-terminal
    ports         free loopback ports
    waiting       wait for a condition
    paths         where this repository's files are

Nothing here imports tests, bench or examples, and of grpcdns only its generated protobuf messages
(tests/project/test_harness.py).
"""
