"""The rows of tests/conformance over gRPC from `grpcdns serve`, with each transport, and through a
real CoreDNS with its `grpc` plugin. The cluster comes from a file (`--manifests`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from grpcdns.config.options import Config
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.objects import write_list
from harness.ports import Address, free_address
from harness.waiting import wait_until
from tests.conformance.case import Case, expected, summary
from tests.conformance.cluster import OBJECTS
from tests.conformance.groups import GROUPS
from tests.conformance.outside import ZONE
from tests.conformance.reply import query, read_reply
from tests.differential.options import flags
from tests.differential.tally import TALLY
from tests.differential.world import ask_server

pytestmark = [pytest.mark.servers, pytest.mark.slow]
CONFIGS: Final = list(dict.fromkeys(group.config for group in GROUPS))
ROWS: Final = {
    config: [case for group in GROUPS if group.config == config for case in group.rows]
    for config in CONFIGS
}
TITLES: Final = {group.config: group.title for group in reversed(GROUPS)}
THREADS: Final = Config(transport="threads")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Config, Grpcdns]]:
    """A `grpcdns serve` for each set of options, and one with the other transport."""
    folder = tmp_path_factory.mktemp("served")
    manifest = write_list(folder / "cluster.json", OBJECTS)
    zone = folder / "outside.zone"
    zone.write_text(ZONE)
    with ExitStack() as stack:
        outside = stack.enter_context(CoreDNS(f"example.net {{\n    file {zone}\n}}"))
        made: dict[Config, Grpcdns] = {}
        for config in (*CONFIGS, THREADS):
            own = folder / f"{len(made)}"
            own.mkdir()
            made[config] = ours = Grpcdns(
                "--manifests", manifest, "--upstream", str(outside.address), *flags(config),
                workers=1, folder=own,
            )  # fmt: skip
            stack.callback(ours.stop)
            ours.start(ready=False)
        for ours in made.values():
            wait_until(ours.serving, "grpcdns serves", timeout=60)
        yield made


@pytest.fixture(scope="module")
def through(served: dict[Config, Grpcdns]) -> Iterator[dict[Config, Address]]:
    """One CoreDNS with a server for each of them."""
    ports = {config: free_address() for config in served}
    blocks = [
        f".:{ports[config].port} {{\n    grpc . {ours.listen[0]}\n}}"
        for config, ours in served.items()
    ]
    with CoreDNS("\n".join([*blocks, ". {\n    whoami\n}"])):
        yield ports


def named(config: Config) -> str:
    return "threads" if config == THREADS else TITLES[config]


def rows_of(config: Config) -> list[Case]:
    return ROWS[Config() if config == THREADS else config]


@pytest.mark.parametrize("config", [*CONFIGS, THREADS], ids=named)
def test_rows_over_grpc(served: dict[Config, Grpcdns], config: Config) -> None:
    wrong = []
    for case in rows_of(config):
        asked = query(case.qname, case.qtype, edns=True)
        for _ in ("new", "remembered"):
            reply = read_reply(served[config].send(asked))
            if summary(reply) != expected(case, config.policy()):
                wrong.append(f"{case.name()}\n  row:  {case}\n  ours: {reply}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("config", [*CONFIGS, THREADS], ids=named)
def test_rows_through_coredns(through: dict[Config, Address], config: Config) -> None:
    rows = rows_of(config)
    replies = ask_server(through[config], [(case.qname, case.qtype) for case in rows])
    wrong = [
        f"{case.name()}\n  row:  {case}\n  ours: {reply}"
        for case, reply in zip(rows, replies, strict=True)
        if reply is None or summary(reply) != expected(case, config.policy())
    ]
    TALLY["asked, served rows"] += len(rows)
    assert not wrong, "\n".join(wrong)
