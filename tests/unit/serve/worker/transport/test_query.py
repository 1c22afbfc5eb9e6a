"""`Query` on both transports: what goes in, what comes out, what ends a call."""

from __future__ import annotations

import time

import grpc
import pytest

from grpcdns.pb.dns_pb2 import DnsPacket
from grpcdns.serve.worker.later import Later
from grpcdns.serve.worker.transport.contract import QUERY
from grpcdns.serve.worker.transport.packet import MAX_MESSAGE, to_wire
from harness.waiting import wait_until
from tests.transports import Serve, code_of, method


def test_a_message_and_its_reply(serve: Serve) -> None:
    served = serve(lambda msg: b"re: " + msg)
    reply = served.query(DnsPacket(msg=b"question").SerializeToString())
    assert DnsPacket.FromString(reply).msg == b"re: question"
    wait_until(lambda: sum(served.transport.stats.buckets) == 1, "it is counted")


@pytest.mark.parametrize("size", [0, 1, 512, 2048, 16384, MAX_MESSAGE])
def test_every_size(serve: Serve, size: int) -> None:
    served = serve()
    assert served.query(to_wire(b"x" * size)) == to_wire(b"x" * size)


@pytest.mark.parametrize(
    ("raw", "msg"),
    [
        pytest.param(b"", b"", id="no bytes at all"),
        pytest.param(b"\xff\xff\xff", b"", id="no protobuf"),
        pytest.param(b"\x0a\x01a\x12\x01b", b"a", id="unknown field"),
    ],
)
def test_rubbish_reaches_the_answer_as_a_message(serve: Serve, raw: bytes, msg: bytes) -> None:
    seen = []

    def answer(message: bytes) -> bytes:
        seen.append(message)
        return b"formerr"

    assert serve(answer).query(raw) == to_wire(b"formerr")
    assert seen == [msg]


@pytest.mark.parametrize(
    "path",
    ["/coredns.dns.DnsService/Watch", "/coredns.dns.DnsService/", "/other.Service/Query", "/"],
)
def test_unknown_method(serve: Serve, path: str) -> None:
    served = serve()
    with served.channel() as channel, pytest.raises(grpc.RpcError) as caught:
        method(channel, path)(b"", timeout=5.0)
    assert code_of(caught.value) is grpc.StatusCode.UNIMPLEMENTED


def test_none_ends_the_call_with_unavailable(serve: Serve) -> None:
    served = serve(lambda _: None)
    with pytest.raises(grpc.RpcError) as caught:
        served.query(to_wire(b"x"))
    assert code_of(caught.value) is grpc.StatusCode.UNAVAILABLE
    assert served.transport.stats.unavailable == 1


def test_a_fault_of_ours_ends_the_call_and_no_other(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(message: bytes) -> bytes:
        if message == b"bad":
            raise RuntimeError("on purpose")
        return message

    served = serve(answer)
    with pytest.raises(grpc.RpcError) as caught:
        served.query(to_wire(b"bad"))
    assert code_of(caught.value) is grpc.StatusCode.UNAVAILABLE
    assert "on purpose" in caplog.text
    assert served.query(to_wire(b"good")) == to_wire(b"good")


def test_oversized_is_refused(serve: Serve) -> None:
    served = serve()
    with served.channel(("grpc.max_send_message_length", -1)) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            method(channel)(to_wire(b"x" * (MAX_MESSAGE + 1)), timeout=5.0)
        assert code_of(caught.value) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert method(channel)(to_wire(b"next"), timeout=5.0) == to_wire(b"next")


def test_gzip_is_accepted(serve: Serve) -> None:
    served = serve()
    raw = to_wire(b"x" * 5000)
    with served.channel() as channel:
        reply = method(channel)(raw, timeout=5.0, compression=grpc.Compression.Gzip)
    assert reply == raw


def test_a_gzip_bomb_is_refused(serve: Serve) -> None:
    served = serve()
    bomb = b"\0" * (8 << 20)
    with (
        served.channel(("grpc.max_send_message_length", -1)) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        method(channel)(bomb, timeout=5.0, compression=grpc.Compression.Gzip)
    assert code_of(caught.value) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_is_tolerated(serve: Serve) -> None:
    served = serve()
    metadata = (("x-trace", "1"), ("x-binary-bin", bytes(range(256))), ("x-trace", "2"))
    with served.channel() as channel:
        assert method(channel)(to_wire(b"x"), timeout=5.0, metadata=metadata) == to_wire(b"x")


def test_too_much_metadata_is_refused(serve: Serve) -> None:
    served = serve()
    with served.channel() as channel:
        with pytest.raises(grpc.RpcError) as caught:
            method(channel)(b"", timeout=5.0, metadata=(("x-bomb", "b" * 100_000),))
        assert code_of(caught.value) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert method(channel)(to_wire(b"x"), timeout=5.0) == to_wire(b"x")


def test_a_thousand_parallel_calls_on_one_channel(serve: Serve) -> None:
    served = serve()
    with served.channel() as channel:
        calls = [method(channel).future(to_wire(b"%d" % n), timeout=60.0) for n in range(1000)]
        assert [call.result() for call in calls] == [to_wire(b"%d" % n) for n in range(1000)]
    wait_until(lambda: sum(served.transport.stats.buckets) == 1000, "all are counted")


def test_later_replies_complete_in_any_order_and_delay_no_other(serve: Serve) -> None:
    laters: dict[bytes, Later] = {}

    def answer(message: bytes) -> bytes | Later:
        if not message.startswith(b"later"):
            return message
        laters[message] = Later()
        return laters[message]

    served = serve(answer)
    with served.channel() as channel:
        names = [b"later %d" % n for n in range(20)]
        calls = {name: method(channel).future(to_wire(name), timeout=30.0) for name in names}
        wait_until(lambda: len(laters) == 20, "all are being waited for")
        assert method(channel)(to_wire(b"now"), timeout=10.0) == to_wire(b"now")
        for name in reversed(names):
            laters[name].set(None if name == b"later 7" else b"re: " + name)
        for name, call in calls.items():
            if name == b"later 7":
                assert call.code() is grpc.StatusCode.UNAVAILABLE
            else:
                assert call.result() == to_wire(b"re: " + name)
    wait_until(lambda: served.transport.stats.open == 0, "none is open")


def test_a_later_that_is_known_already(serve: Serve) -> None:
    def answer(message: bytes) -> Later:
        later = Later()
        later.set(message)
        later.set(b"only the first counts")
        return later

    assert serve(answer).query(to_wire(b"x")) == to_wire(b"x")


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_caller_that_goes_away(serve: Serve, how: str) -> None:
    laters: list[Later] = []

    def answer(message: bytes) -> bytes | Later:
        if message != b"later":
            return message
        laters.append(Later())
        return laters[0]

    served = serve(answer)
    with served.channel() as channel:
        call = method(channel).future(to_wire(b"later"), timeout=0.3 if how == "deadline" else 30.0)
        wait_until(lambda: laters, "the call has come")
        if how == "cancel":
            call.cancel()  # type: ignore[no-untyped-call]
            with pytest.raises(grpc.FutureCancelledError):
                call.result()
        else:
            assert call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        laters[0].set(b"too late")
        assert method(channel)(to_wire(b"next"), timeout=5.0) == to_wire(b"next")
    wait_until(lambda: served.transport.stats.open == 0, "nothing is open")


def test_a_call_without_message(serve: Serve) -> None:
    """Half-closed without a message: no valid call of this method."""
    served = serve()
    with served.channel() as channel:
        stream = channel.stream_unary(QUERY, None, None)
        with pytest.raises(grpc.RpcError) as caught:
            stream(iter(()), timeout=5.0)
        assert code_of(caught.value) in (
            grpc.StatusCode.UNIMPLEMENTED,
            grpc.StatusCode.INTERNAL,
        )
        assert method(channel)(to_wire(b"next"), timeout=5.0) == to_wire(b"next")


def test_more_messages_than_one(serve: Serve) -> None:
    served = serve()
    with served.channel() as channel:
        stream = channel.stream_unary(QUERY, None, None)
        raw = to_wire(b"x")
        call = stream.future(iter((raw, raw, raw)), timeout=5.0)
        assert call.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
        assert method(channel)(raw, timeout=5.0) == raw


def test_overload_is_shed(serve: Serve) -> None:
    """While a probe waits for longer than it should, and calls are in flight, new ones end with
    UNAVAILABLE."""
    later = Later()
    served = serve(lambda message: later if message == b"held" else message)
    with served.channel() as channel:
        held = method(channel).future(to_wire(b"held"), timeout=20.0)
        wait_until(lambda: served.transport.stats.open == 1, "it is in flight")
        served.pressure.sent = time.perf_counter() - 1.0
        with pytest.raises(grpc.RpcError) as caught:
            served.query(to_wire(b"x"))
        assert code_of(caught.value) is grpc.StatusCode.UNAVAILABLE
        assert served.transport.stats.shed == 1
        served.pressure.sent = 0.0
        assert served.query(to_wire(b"x")) == to_wire(b"x")
        later.set(b"done")
        assert held.result() == to_wire(b"done")
