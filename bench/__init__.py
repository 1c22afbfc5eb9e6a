"""What `make bench` runs: ours and CoreDNS side by side on one cluster, measured in alternation.

    python -m bench                          everything, into docs/benchmarks.md
    python -m bench grpc --size 1000 --seconds 2      one measurement, shown and not written

One module a measurement (`bench.measure`), one a thing that they need: `cluster` (a cluster's
objects, and questions about them), `fill` (a real API server with those objects), `servers` (what
is measured), `load` (who asks), `usage` (CPU and memory of processes), `samples` (what was found),
`report` (tables and plots).
"""
