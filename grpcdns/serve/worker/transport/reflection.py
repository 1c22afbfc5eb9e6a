"""Server reflection, v1 and v1alpha, so that callers need no proto file.

grpcio-reflection has only v1alpha. v1 has the same messages in another package: its descriptor is
made from v1alpha's, and one servicer answers for both. All of this, protobuf included, is loaded at
the first call: a worker without such calls does not pay for it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, Final

import grpc

from grpcdns.serve.worker.transport import health
from grpcdns.serve.worker.transport.contract import SERVICE

V1: Final = "grpc.reflection.v1.ServerReflection"
V1_ALPHA: Final = "grpc.reflection.v1alpha.ServerReflection"


def handlers() -> tuple[grpc.GenericRpcHandler[Any, Any], ...]:
    """For `grpc.server`; requests and responses are raw bytes here, parsed in `_reflect`."""
    methods = {"ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(_reflect)}
    return tuple(grpc.method_handlers_generic_handler(name, methods) for name in (V1, V1_ALPHA))


def _reflect(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
    request_type, servicer = _servicer()
    from google.protobuf.message import DecodeError

    def parsed() -> Iterator[Any]:
        for raw in requests:
            try:
                yield request_type.FromString(raw)
            except DecodeError:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not a ServerReflectionRequest")

    for request in parsed():
        found = request_type.FromString(request.SerializeToString())
        if found.HasField("file_containing_symbol"):
            found.file_containing_symbol = _holder(found.file_containing_symbol)
        for response in servicer.ServerReflectionInfo(iter((found,)), context):
            response.original_request.CopyFrom(request)
            yield response.SerializeToString()


def _holder(symbol: str) -> str:
    """The symbol to look up: a method's service, a field's message, else the symbol itself."""
    from google.protobuf import descriptor_pool

    pool = descriptor_pool.Default()
    parent, _, name = symbol.rpartition(".")
    try:
        if name in pool.FindServiceByName(parent).methods_by_name:
            return parent
    except KeyError:
        pass
    try:
        if name in pool.FindMessageTypeByName(parent).fields_by_name:
            return parent
    except KeyError:
        pass
    return symbol


@functools.cache
def _servicer() -> tuple[Any, Any]:
    from google.protobuf import descriptor_pb2, descriptor_pool
    from grpc_health.v1 import health_pb2  # noqa: F401 - registers its descriptor
    from grpc_reflection.v1alpha import reflection, reflection_pb2

    from grpcdns.pb import dns_pb2  # noqa: F401 - registers its descriptor

    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    raw = file.SerializeToString(deterministic=True)
    v1 = descriptor_pb2.FileDescriptorProto.FromString(raw)
    _rename(v1)
    descriptor_pool.Default().AddSerializedFile(v1.SerializeToString())
    names = (SERVICE, health.NAME, V1, V1_ALPHA)
    return reflection_pb2.ServerReflectionRequest, reflection.ReflectionServicer(names)


def _rename(file: Any) -> None:
    """Turn v1alpha's file into v1's: its name, its package, and the types in it."""
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = "grpc.reflection.v1"
    file.ClearField("options")
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = _v1(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type = _v1(method.input_type)
            method.output_type = _v1(method.output_type)


def _v1(name: str) -> str:
    return name.replace(".grpc.reflection.v1alpha.", ".grpc.reflection.v1.")
