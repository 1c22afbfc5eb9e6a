"""Where a worker listens: sockets, their modes and groups, and addresses that cannot be bound."""

from __future__ import annotations

import os
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grpcdns.config.options import UserError
from grpcdns.serve.worker.transport.contract import AddressError, Pressure
from grpcdns.serve.worker.transport.health import Health
from grpcdns.serve.worker.transport.packet import to_wire
from grpcdns.serve.worker.transport.server import Listeners, _make_folder
from harness.ports import free_address
from tests.transports import TRANSPORTS, Serve, unix

X = to_wire(b"x")


def refused(
    transport: str, address: str, error: type[UserError] = AddressError, **options: str
) -> str:
    """The line that a user sees."""
    listeners = Listeners([address], Health(), **options)  # type: ignore[arg-type]
    server = TRANSPORTS[transport](listeners, bytes, Pressure())
    with pytest.raises(error) as caught:
        server.start()
    server.stop(0.1)
    return str(caught.value)


def test_socket_and_folder_are_private(serve: Serve, tmp_path: Path) -> None:
    serve(address=unix(tmp_path / "made" / "here"))
    folder = tmp_path / "made" / "here"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    assert stat.S_IMODE((folder / "s.sock").stat().st_mode) == 0o660


def test_a_folder_that_several_make_at_once(tmp_path: Path) -> None:
    """As the workers of one `grpcdns serve` do when they start."""
    with ThreadPoolExecutor(4) as pool:
        for number in range(100):
            together = threading.Barrier(4)

            def make(folder: Path, together: threading.Barrier = together) -> None:
                together.wait(10.0)
                _make_folder(folder, None)

            list(pool.map(make, [tmp_path / str(number) / "run" / "grpcdns"] * 4))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("group", ["12345", "daemon"])
def test_group(transport: str, tmp_path: Path, group: str) -> None:
    listeners = Listeners([unix(tmp_path / "made")], Health(), group=group)
    server = TRANSPORTS[transport](listeners, bytes, Pressure())
    server.start()
    wanted = {"12345": 12345, "daemon": 1}[group]
    assert (tmp_path / "made").stat().st_gid == wanted
    assert (tmp_path / "made" / "s.sock").stat().st_gid == wanted
    server.stop(0.1)


def test_unknown_group(transport: str, tmp_path: Path) -> None:
    line = refused(transport, unix(tmp_path), UserError, group="no-such-group")
    assert line == "--socket-group no-such-group: no such group"


def test_a_stale_socket_is_replaced(serve: Serve, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s.sock"))
    assert (tmp_path / "s.sock").exists()
    assert serve().query(X) == X


@pytest.mark.parametrize("backlog", [0, 16])
def test_a_socket_that_somebody_listens_on_is_left_alone(
    transport: str, tmp_path: Path, backlog: int
) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s.sock"))
        other.listen(backlog)
        line = refused(transport, unix(tmp_path))
        assert "in use by another process" in line
        assert str(tmp_path) in line
        with socket.socket(socket.AF_UNIX) as caller:
            caller.setblocking(False)
            try:
                caller.connect(str(tmp_path / "s.sock"))  # it still listens
            except BlockingIOError:
                pass


def test_two_servers_on_one_socket(serve: Serve, transport: str, tmp_path: Path) -> None:
    served = serve()
    assert "in use" in refused(transport, unix(tmp_path))
    assert served.query(X) == X


def test_a_file_that_is_no_socket_is_left_alone(transport: str, tmp_path: Path) -> None:
    (tmp_path / "s.sock").write_text("precious")
    assert "is no socket" in refused(transport, unix(tmp_path))
    assert (tmp_path / "s.sock").read_text() == "precious"


def test_a_folder_that_cannot_be_made(transport: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = refused(transport, f"unix://{tmp_path}/file/sub/s.sock")
    assert "--listen unix://" in line


def test_tcp_port_in_use(serve: Serve, transport: str) -> None:
    """By another server, or by one of ours: ports are not shared."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert refused(transport, f"127.0.0.1:{port}").endswith("address already in use")
    address = str(free_address())
    serve(address=address)
    assert refused(transport, address) == f"--listen {address}: address already in use"


def test_an_address_that_is_not_ours(transport: str) -> None:
    line = refused(transport, "192.0.2.1:5353")
    assert line == "--listen 192.0.2.1:5353: cannot assign requested address"
