"""The command lines of ``docker-compose.yml``, run as local processes.

Replaced: images by local binaries, paths in the containers by what is mounted there, the published
port, addresses of the containers' network. A line that cannot be replaced has changed.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from grpcdns.cli import parser_of
from harness.build import binary
from harness.coredns import CoreDNS, replaced
from harness.dns import ask, section
from harness.fixtures import skip_unless_built
from harness.paths import ROOT
from harness.ports import free_address
from harness.process import Process
from harness.waiting import wait_until

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
GRPCDNS, COREDNS = COMPOSE["services"]["grpcdns"], COMPOSE["services"]["coredns"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UPSTREAM = COREDNS["networks"]["dns"]["ipv4_address"]


class Running(NamedTuple):
    front: CoreDNS
    health: list[str]


def local(words: list[str], service: dict[str, Any], sockets: Path) -> list[str]:
    """A command line with the container's paths replaced by what is mounted there."""
    swapped = list(words)
    for volume in service["volumes"]:
        outside, inside = volume.split(":")[:2]
        there = sockets if outside == "sockets" else ROOT / outside
        swapped = [word.replace(inside, str(there)) for word in swapped]
    return swapped


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    skip_unless_built("coredns")
    folder = tmp_path_factory.mktemp("compose")
    address = free_address()
    entrypoint = [sys.executable, "-m", "grpcdns"]
    command = local(GRPCDNS["command"], GRPCDNS, folder)
    assert f"--upstream={UPSTREAM}" in command
    command = [word.replace(UPSTREAM, str(address)) for word in command]
    health = [sys.executable, "-m", *local(GRPCDNS["healthcheck"]["test"][1:], GRPCDNS, folder)]
    world = free_address()
    corefile = replaced(
        Path(local(COREDNS["command"], COREDNS, folder)[1]).read_text(),
        {
            "unix:///run/grpcdns/": f"unix://{folder}/",
            "/etc/resolv.conf": str(world),
            "prometheus :9153": f"prometheus {free_address()}",
            "health {": f"health {free_address()} {{",
            "    ready\n": f"    ready {free_address()}\n",
            "lameduck 5s": "lameduck 100ms",
        },
    )
    backend = Process([*entrypoint, *command], log=folder / "grpcdns.log")
    with (
        CoreDNS(". {\n    hosts {\n        192.0.2.80 www.example.org\n    }\n}", address=world),
        backend.start(lambda: subprocess.run(health, check=True)),
        CoreDNS(corefile, address=address) as front,
    ):
        yield Running(front, health)


@pytest.mark.servers
def test_it_answers(running: Running) -> None:
    answer = ask(running.front.address, "xecho.default.svc.cluster.local")
    assert section(answer) == ["xecho.default.svc.cluster.local. 30 IN A 10.96.49.52"]
    pod = ask(running.front.address, "10-244-0-5.default.pod.cluster.local")
    assert [record.split()[-1] for record in section(pod)] == ["10.244.0.5"]


@pytest.mark.servers
def test_external_name_goes_through_the_upstream_of_the_command_line(running: Running) -> None:
    def resolved() -> bool:
        records = section(ask(running.front.address, "docs.default.svc.cluster.local"))
        return [r.split()[-1] for r in records] == ["www.example.org.", "192.0.2.80"]

    wait_until(resolved, "the target's address in the answer")


@pytest.mark.servers
def test_health_check(running: Running) -> None:
    run = subprocess.run(running.health, capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stdout.count(": SERVING\n") == 2


def test_coredns_has_the_options_of_its_command() -> None:
    skip_unless_built("coredns")
    assert COREDNS["command"] == ["-conf", "/etc/coredns/Corefile"]
    help_ = subprocess.run([binary("coredns"), "-help"], capture_output=True, text=True).stderr
    assert "-conf" in help_


def test_coredns_has_the_version_that_is_tested() -> None:
    module = (ROOT / "tests/servers/coredns/go.mod").read_text()
    assert f"github.com/coredns/coredns v{COREDNS['image'].partition(':')[2]}" in module


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_each_service_has_no_privileges(service: str) -> None:
    about = COMPOSE["services"][service]
    assert about["read_only"] is True
    assert about["cap_drop"] == ["ALL"]
    assert about["user"].partition(":")[0] not in ("", "0", "root")
    assert "no-new-privileges:true" in about["security_opt"]


def test_mounted_paths_exist_and_are_read_only() -> None:
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            outside, _, *mode = volume.split(":")
            if outside not in COMPOSE["volumes"]:
                assert (ROOT / outside).exists()
                assert mode == ["ro"]


def test_dockerfile_copies_what_exists_and_drops_root() -> None:
    copied = [
        word
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in shlex.split(line)[1:-1]
    ]
    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {f"!{path}" for path in copied} == {line for line in ignored if line.startswith("!")}
    assert f"USER {GRPCDNS['user']}" in DOCKERFILE


def test_one_worker_that_serves_is_healthy() -> None:
    """For the image and for docker compose alike, as for the Pod's probes."""
    line = next(
        line for line in DOCKERFILE.splitlines() if line.strip().startswith('CMD ["grpcdns')
    )
    image = yaml.safe_load(line.strip().removeprefix("CMD "))
    for words in (image, GRPCDNS["healthcheck"]["test"][1:]):
        assert words[:2] == ["grpcdns", "check"]
        args = parser_of("check").read(words[2:])
        assert args.any
        assert len(args.server) == 2
