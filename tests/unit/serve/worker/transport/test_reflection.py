"""Server reflection, v1 and v1alpha, as grpcurl and others use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from grpcdns.serve.worker.transport.packet import to_wire
from grpcdns.serve.worker.transport.reflection import V1, V1_ALPHA
from harness.grpcurl import Output
from harness.ports import free_address
from tests.transports import Serve, Served, code_of

Request = reflection_pb2.ServerReflectionRequest
SERVICES = ["coredns.dns.DnsService", "grpc.health.v1.Health", V1, V1_ALPHA]


@pytest.fixture(params=[V1, V1_ALPHA])
def version(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def ask(served: Served, version: str, *requests: Any) -> list[Any]:
    with served.channel() as channel:
        call = channel.stream_stream(
            f"/{version}/ServerReflectionInfo",
            Request.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        return list(call(iter(requests), timeout=10.0))


def files(response: Any) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    raw = response.file_descriptor_response.file_descriptor_proto
    found = [descriptor_pb2.FileDescriptorProto.FromString(one) for one in raw]
    return {file.name: file for file in found}


def test_list_services(serve: Serve, version: str) -> None:
    (response,) = ask(serve(), version, Request(list_services=""))
    assert [one.name for one in response.list_services_response.service] == SERVICES


@pytest.mark.parametrize(
    "symbol",
    [
        *SERVICES,
        "coredns.dns.DnsPacket",
        "coredns.dns.DnsPacket.msg",
        "coredns.dns.DnsService.Query",
    ],
)
def test_file_containing_symbol(serve: Serve, version: str, symbol: str) -> None:
    request = Request(file_containing_symbol=symbol)
    (response,) = ask(serve(), version, request)
    assert response.original_request == request
    assert any(symbol.startswith(file.package) for file in files(response).values())


def test_file_by_filename(serve: Serve, version: str) -> None:
    served = serve()
    (found,) = ask(served, version, Request(file_containing_symbol="coredns.dns.DnsPacket"))
    for name in files(found):
        (response,) = ask(served, version, Request(file_by_filename=name))
        assert name in files(response)


def test_errors_do_not_end_the_stream(serve: Serve, version: str) -> None:
    unknown, empty, listed = ask(
        serve(),
        version,
        Request(file_containing_symbol="coredns.dns.DnsService.NoSuchMethod"),
        Request(),
        Request(list_services=""),
    )
    assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    assert empty.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert len(listed.list_services_response.service) == len(SERVICES)


def test_rubbish(serve: Serve, version: str) -> None:
    served = serve()
    with served.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        list(
            channel.stream_stream(f"/{version}/ServerReflectionInfo", None, None)(
                iter((b"\xff\xff\xff",)), timeout=5.0
            )
        )
    assert code_of(caught.value) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_grpcurl(serve: Serve, grpcurl: Callable[..., Output], kind: str) -> None:
    """With no proto file at hand: list, a Query and a health check."""
    served = serve(address=str(free_address()) if kind == "tcp" else "")
    at = [served.address] if kind == "tcp" else ["-unix", served.address.removeprefix("unix://")]
    assert grpcurl(*at, "list").stdout.split() == SERVICES
    assert "rpc Query" in grpcurl(*at, "describe", "coredns.dns.DnsService").stdout
    assert "ServerReflectionInfo" in grpcurl(*at, "describe", V1).stdout
    health = grpcurl(*at, "grpc.health.v1.Health/Check")
    assert '"SERVING"' in health.stdout, health
    query = grpcurl("-d", '{"msg": "YWJj"}', *at, "coredns.dns.DnsService/Query")
    assert '"YWJj"' in query.stdout, query
    assert served.query(to_wire(b"abc")) == to_wire(b"abc")
