"""grpcurl with a plain grpcio server that has reflection."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from harness.grpcurl import Output
from harness.ports import free_address

HEALTH = "grpc.health.v1.Health"


def test_lists_and_calls(grpcurl: Callable[..., Output]) -> None:
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    reflection.enable_server_reflection([HEALTH, reflection.SERVICE_NAME], server)
    address = str(free_address())
    server.add_insecure_port(address)
    server.start()
    try:
        assert HEALTH in grpcurl(address, "list").stdout.split()
        checked = grpcurl(address, f"{HEALTH}/Check")
        assert (checked.code, "SERVING" in checked.stdout) == (0, True)
        unknown = grpcurl("-d", '{"service": "none"}', address, f"{HEALTH}/Check")
        assert unknown.code == 64 + 5
    finally:
        server.stop(None)


def test_reports_when_nothing_listens(grpcurl: Callable[..., Output]) -> None:
    output = grpcurl("-connect-timeout", "1", str(free_address()), "list")
    assert output.code != 0
    assert "Failed to dial target host" in output.stderr
