"""grpc.health.v1 as its specification has it, on the bytes of grpcio-health-checking's classes."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from grpcdns.serve.worker.transport.contract import SERVICE
from harness.waiting import wait_until
from tests.transports import Serve, code_of

Status = health_pb2.HealthCheckResponse
Request = health_pb2.HealthCheckRequest


def stub(channel: grpc.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


@pytest.mark.parametrize("service", ["", SERVICE])
@pytest.mark.parametrize("serving", [True, False])
def test_check(serve: Serve, service: str, serving: bool) -> None:
    served = serve()
    served.health.set(serving=serving)
    with served.channel() as channel:
        reply = stub(channel).Check(Request(service=service), timeout=5.0)
    assert reply.status == (Status.SERVING if serving else Status.NOT_SERVING)


def test_check_of_an_unknown_service(serve: Serve) -> None:
    with serve().channel() as channel, pytest.raises(grpc.RpcError) as caught:
        stub(channel).Check(Request(service="other.Service"), timeout=5.0)
    assert code_of(caught.value) is grpc.StatusCode.NOT_FOUND


@pytest.mark.skipif(
    not hasattr(health_pb2, "HealthListRequest"), reason="grpcio-health-checking before 1.85"
)
def test_list(serve: Serve) -> None:
    with serve().channel() as channel:
        reply = stub(channel).List(health_pb2.HealthListRequest(), timeout=5.0)
    assert {name: one.status for name, one in reply.statuses.items()} == {
        "": Status.SERVING,
        SERVICE: Status.SERVING,
    }


def test_watch_sends_the_state_at_once_and_then_each_change(serve: Serve) -> None:
    served = serve()
    with served.channel() as channel:
        stream = stub(channel).Watch(Request(service=SERVICE), timeout=20.0)
        assert next(stream).status == Status.SERVING
        served.health.set(serving=True)  # no change
        served.health.set(serving=False)
        assert next(stream).status == Status.NOT_SERVING
        served.health.set(serving=True)
        assert next(stream).status == Status.SERVING
        stream.cancel()


def test_watch_of_an_unknown_service_stays_open(serve: Serve) -> None:
    served = serve()
    with served.channel() as channel:
        stream = stub(channel).Watch(Request(service="other.Service"), timeout=1.0)
        assert next(stream).status == Status.SERVICE_UNKNOWN
        served.health.set(serving=False)
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
    assert code_of(caught.value) is grpc.StatusCode.DEADLINE_EXCEEDED


def test_many_watchers_delay_no_other(serve: Serve) -> None:
    served = serve()
    with served.channel() as channel:
        streams = [stub(channel).Watch(Request(), timeout=30.0) for _ in range(100)]
        assert [next(stream).status for stream in streams] == [Status.SERVING] * 100
        assert stub(channel).Check(Request(), timeout=5.0).status == Status.SERVING
        served.health.set(serving=False)
        assert [next(stream).status for stream in streams] == [Status.NOT_SERVING] * 100
        for stream in streams:
            stream.cancel()
    wait_until(lambda: not served.health._watchers, "none is remembered")
