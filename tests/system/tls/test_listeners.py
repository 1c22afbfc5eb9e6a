"""TLS and mTLS on TCP listeners, and certificates that change on disk."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from cryptography import x509

from grpcdns.config.options import Config, UserError
from grpcdns.serve.worker.transport.packet import to_wire
from grpcdns.serve.worker.transport.tls import make_credentials
from harness.certificates import Authority
from harness.ports import Address, free_address
from harness.waiting import wait_until
from tests.transports import Serve, code_of, method

X = to_wire(b"x")


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def config_of(ca: Authority, *, mutual: bool = False) -> Config:
    cert, key = ca.issue("server")
    return Config(
        tls_cert=str(cert), tls_key=str(key), tls_client_ca=str(ca.cert) if mutual else ""
    )


@contextmanager
def calling(
    address: Address, ca: Authority, client: tuple[Path, Path] | None = None
) -> Iterator[grpc.Channel]:
    credentials = grpc.ssl_channel_credentials(
        ca.cert.read_bytes(),
        client[1].read_bytes() if client else None,
        client[0].read_bytes() if client else None,
    )
    options = [("grpc.ssl_target_name_override", "server"), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(str(address), credentials, options=options) as channel:
        yield channel


def refuses(address: Address, ca: Authority, client: tuple[Path, Path] | None = None) -> bool:
    with calling(address, ca, client) as channel, pytest.raises(grpc.RpcError) as caught:
        method(channel)(X, timeout=5.0)
    return code_of(caught.value) is grpc.StatusCode.UNAVAILABLE


def serial(address: Address) -> int:
    """Of the server's certificate."""
    pem = ssl.get_server_certificate((address.host, address.port), timeout=5.0)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_tls(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    address = free_address()
    serve(address=str(address), credentials=make_credentials(config_of(ca)))
    with calling(address, ca) as channel:
        assert method(channel)(X, timeout=5.0) == X
    assert refuses(address, Authority(tmp_path / "other"))
    with grpc.insecure_channel(str(address)) as plain, pytest.raises(grpc.RpcError):
        method(plain)(X, timeout=5.0)


def test_mutual_tls(serve: Serve, ca: Authority, tmp_path: Path) -> None:
    address = free_address()
    serve(address=str(address), credentials=make_credentials(config_of(ca, mutual=True)))
    with calling(address, ca, ca.issue("coredns")) as channel:
        assert method(channel)(X, timeout=5.0) == X
    assert refuses(address, ca), "no certificate"
    assert refuses(address, ca, Authority(tmp_path / "other").issue("coredns")), "other authority"
    assert refuses(address, ca, ca.issue("coredns", days=-1)), "expired"


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_versions(serve: Serve, ca: Authority, version: ssl.TLSVersion, accepted: bool) -> None:
    address = free_address()
    serve(address=str(address), credentials=make_credentials(config_of(ca)))
    context = ssl.create_default_context(cafile=str(ca.cert))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((address.host, address.port), timeout=5.0) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="server") as sock:
                assert accepted
                assert sock.selected_alpn_protocol() == "h2"
        except ssl.SSLError:
            assert not accepted


def test_new_certificates_are_used(serve: Serve, ca: Authority) -> None:
    address = free_address()
    config = config_of(ca)
    serve(address=str(address), credentials=make_credentials(config))
    with calling(address, ca) as old:
        assert method(old)(X, timeout=5.0) == X
        first = serial(address)
        ca.issue("server")  # the same files
        wait_until(lambda: serial(address) != first, "the new certificate")
        with calling(address, ca) as new:
            assert method(new)(X, timeout=5.0) == X
        assert method(old)(X, timeout=5.0) == X, "connections stay"


@pytest.mark.parametrize("fault", ["torn", "gone", "not its key"])
def test_bad_new_certificates_are_not_used(
    serve: Serve, ca: Authority, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    address = free_address()
    config = config_of(ca)
    serve(address=str(address), credentials=make_credentials(config))
    first = serial(address)
    cert, key = Path(config.tls_cert), Path(config.tls_key)
    if fault == "torn":
        cert.write_bytes(cert.read_bytes()[:100])
    elif fault == "gone":
        os.unlink(key)
    else:
        key.write_bytes(ca.issue("another")[1].read_bytes())
    for _ in range(3):
        assert serial(address) == first
    assert caplog.text.count("the last good ones stay") == 1
    ca.issue("server")
    wait_until(lambda: serial(address) != first, "the good certificate")


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("no cert", "--tls-cert {cert}: no such file or directory"),
        ("no key", "--tls-key {key}: no such file or directory"),
        ("rubbish", "--tls-cert {cert}, --tls-key {key}: "),
        ("not its key", "--tls-cert {cert}, --tls-key {key}: key values mismatch"),
        ("no ca", "--tls-client-ca {ca}: no such file or directory"),
        ("rubbish ca", "--tls-client-ca {ca}: "),
    ],
)
def test_unusable_certificates_are_refused(ca: Authority, fault: str, line: str) -> None:
    config = config_of(ca, mutual=True)
    cert, key = Path(config.tls_cert), Path(config.tls_key)
    if fault in ("no cert", "no key", "no ca"):
        os.unlink({"no cert": cert, "no key": key, "no ca": ca.cert}[fault])
    elif fault == "rubbish":
        cert.write_text("rubbish")
    elif fault == "rubbish ca":
        ca.cert.write_text("rubbish")
    else:
        key.write_bytes(ca.issue("another")[1].read_bytes())
    with pytest.raises(UserError) as caught:
        make_credentials(config)
    assert str(caught.value).startswith(line.format(cert=cert, key=key, ca=ca.cert))
    assert "PRIVATE" not in str(caught.value)


def test_without_a_certificate_there_are_no_credentials() -> None:
    assert make_credentials(Config()) is None
