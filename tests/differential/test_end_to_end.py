"""End to end, on one real API server: CoreDNS with its own plugins, and CoreDNS with `grpc` to
`grpcdns serve`, are asked every name of the hand-made cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from random import Random
from typing import Final

import pytest

from grpcdns.core.inspect.differences import is_silent
from grpcdns.core.inspect.facts import facts_of
from harness.build import OWN
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from tests.conformance.cluster import ASKABLE, NAMELESS
from tests.conformance.questions import QTYPES, names_of, near
from tests.differential.options import CONFIGS, flags
from tests.differential.tally import compare
from tests.differential.world import World, ask_server, create
from tests.unit.core.test_orders import SEED

pytestmark = [pytest.mark.servers, pytest.mark.slow]
CHOSEN: Final = ("default", "pods verified", "several zones", "all at once")
QUESTIONS: Final = int(os.environ.get("DIFFERENTIAL_QUESTIONS", "4000"))
OBJECTS: Final = [*ASKABLE, *NAMELESS]
OTHER_API: Final = f"{OWN}KUBE_APISERVER"
"""Set by `make matrix`: it may be too old for some of the objects."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    print(f"DIFFERENTIAL_SEED={SEED}")
    with World({name: CONFIGS[name] for name in CHOSEN}) as made:
        create(made.cluster.api, OBJECTS, tolerant=OTHER_API in os.environ)
        made.settle()
        yield made


@pytest.mark.parametrize("option", CHOSEN)
def test_served(world: World, option: str) -> None:
    config, random = CONFIGS[option], Random(f"{SEED}{option}")
    facts = facts_of(world.handler(option).index, config.policy())
    names = names_of(OBJECTS, config)
    names += near(names, random, len(names) // 2)
    pairs = [(name, qtype) for name in names for qtype in QTYPES]
    asked = [
        pair
        for pair in random.sample(pairs, min(QUESTIONS, len(pairs)))
        if not is_silent(facts, *pair)
    ]
    kubeconfig = world.cluster.service_account_kubeconfig(f"grpcdns-{CHOSEN.index(option)}")
    upstream = str(world.address(option))
    with (
        Grpcdns("--kubeconfig", kubeconfig, "--upstream", upstream, *flags(config)) as ours,
        CoreDNS(f". {{\n{ours.grpc_block}\n}}") as coredns,
    ):
        replies = ask_server(coredns.address, asked)
        compare("end to end", config, facts, asked, world.ask_plugin(option, asked), replies)
