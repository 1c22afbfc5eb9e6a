"""The same questions to CoreDNS's plugins and to grpcdns, over one real Kubernetes API.

One CoreDNS has a server for every set of options, all on the same API server. Its answers are
compared with the rows of tests/conformance, and with those of a Handler that has the lists of the
same API. (test_end_to_end.py compares `grpcdns serve` behind another CoreDNS.) The clusters are the
hand-made one and random ones. DIFFERENTIAL_QUESTIONS (for the hand-made one, for each set of
options), DIFFERENTIAL_CLUSTERS (how many random ones) and DIFFERENTIAL_SEED choose how much is
asked; `make differential` asks much more.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, note, seed, settings

from grpcdns.config.options import Config
from grpcdns.core.inspect.differences import DIFFERENCES, is_silent
from grpcdns.core.inspect.facts import facts_of
from harness.api import Object
from harness.waiting import WaitError, wait_until
from tests.conformance.case import Case, Group, expected, summary
from tests.conformance.cluster import ASKABLE, NAMELESS
from tests.conformance.groups import GROUPS
from tests.conformance.questions import QTYPES, names_of, near
from tests.conformance.random_cluster import clusters
from tests.differential.expected import explain, seen_of
from tests.differential.options import CONFIGS
from tests.differential.tally import TALLY, compare
from tests.differential.world import Question, World, ask_ours, create
from tests.unit.core.test_orders import SEED

pytestmark = [pytest.mark.servers, pytest.mark.slow]
QUESTIONS: Final = int(os.environ.get("DIFFERENTIAL_QUESTIONS", "1500"))
CLUSTERS: Final = int(os.environ.get("DIFFERENTIAL_CLUSTERS", "5"))
DEADLY: Final = {"D14"}
_rounds = itertools.count()
_suspects: set[str] = set()
"""Options under which a random cluster failed: while it is shrunk, only these are asked about."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The hand-made cluster, without the objects that crash CoreDNS, and CoreDNS."""
    print(f"DIFFERENTIAL_SEED={SEED}")
    configs = {**CONFIGS, **{f"rows: {group.title}": group.config for group in GROUPS}}
    with World(configs) as made:
        create(made.cluster.api, [*ASKABLE, *NAMELESS])
        made.settle()
        yield made


# -- the rows of tests/conformance


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.title)
def test_rows(world: World, group: Group) -> None:
    """The plugin answers as the rows say, except where a row says that it differs."""
    rows = [case for case in group.rows if case.differs not in DEADLY]
    asked = [(case.qname, case.qtype) for case in rows]
    policy = group.config.policy()
    wrong: list[str] = []

    def as_rows_say() -> bool:
        replies = world.ask_plugin(f"rows: {group.title}", asked)
        wrong[:] = [
            f"{case.name()} {case.differs}\n  row:    {expected(case, policy)}\n  plugin: {reply}"
            for case, reply in zip(rows, replies, strict=True)
            if (reply is not None and summary(reply) == expected(case, policy))
            == bool(case.differs)
        ]
        return not wrong

    try:
        wait_until(as_rows_say, "the plugin says what the rows say")
    except WaitError:
        pytest.fail("\n".join(wrong))
    TALLY["asked, rows"] += len(rows)
    check_ids(world, f"rows: {group.title}", [case for case in rows if case.differs])
    TALLY.update(case.differs for case in rows if case.differs)


def check_ids(world: World, option: str, rows: list[Case]) -> None:
    """The product's table gives each difference the id that its row has."""
    config, handler = world.configs[option], world.handler(option)
    facts = facts_of(handler.index, config.policy())
    asked = [(case.qname, case.qtype) for case in rows]
    replies = zip(asked, world.ask_plugin(option, asked), ask_ours(handler, asked), strict=True)
    found = [
        explain(seen_of(config, facts, pair, theirs, ours), theirs, ours, DIFFERENCES)
        for pair, theirs, ours in replies
    ]
    assert [*zip(asked, found, strict=True)] == [
        *zip(asked, (case.differs for case in rows), strict=True)
    ]


# -- the hand-made cluster


@pytest.mark.parametrize("option", CONFIGS)
def test_by_hand(world: World, option: str) -> None:
    config, handler = world.configs[option], world.handler(option)
    facts = facts_of(handler.index, config.policy())
    asked = questions([*ASKABLE, *NAMELESS], config, Random(f"{SEED}{option}"), QUESTIONS)
    asked = [one for one in asked if not is_silent(facts, *one)]
    ours = ask_ours(handler, asked)
    compare("by hand", config, facts, asked, world.ask_plugin(option, asked), ours)


def questions(objects: list[Object], config: Config, random: Random, count: int) -> list[Question]:
    """Names that exist and names that almost exist, with any type."""
    names = names_of(objects, config)
    names += near(names, random, len(names))
    pairs = [(name, qtype) for name in names for qtype in QTYPES]
    return random.sample(pairs, min(count, len(pairs)))


# -- random clusters


@seed(SEED)
@settings(
    max_examples=CLUSTERS,
    deadline=None,
    database=None,
    print_blob=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(template=clusters())
def test_random(world: World, template: list[Object]) -> None:
    number = next(_rounds)
    objects = placed(template, number)
    note(f"in Namespaces r{number}-a and r{number}-b")
    made = world.put(objects)
    try:
        random = Random(f"{SEED}{number}")
        for option in _suspects or CONFIGS:
            config, handler = world.configs[option], world.handler(option)
            facts = facts_of(handler.index, config.policy())
            asked = questions(objects, config, random, 600 if _suspects else 200)
            asked = [one for one in asked if not is_silent(facts, *one)]
            ours = ask_ours(handler, asked)
            try:
                compare("random", config, facts, asked, world.ask_plugin(option, asked), ours)
            except AssertionError:
                _suspects.add(option)
                raise
    finally:
        world.remove(made)


def placed(objects: list[Object], number: int) -> list[Object]:
    """The objects in new Namespaces; those whose Namespace is missing are left out.

    Their cluster IPs are new as well: the API server frees one only some time after its Service.
    """
    text = json.dumps(objects).replace("10.96.200.", f"10.96.{number % 150 + 50}.")
    text = text.replace("fd00:96::c8", f"fd00:96::{number % 150 + 16:x}")
    for name, here in (("one", f"r{number}-a"), ("two", f"r{number}-b")):
        text = text.replace(f'"{name}"', f'"{here}"').replace(f".{name}.svc", f".{here}.svc")
    moved: list[Object] = json.loads(text)
    there = {obj["metadata"]["name"] for obj in moved if obj["kind"] == "Namespace"}
    return [obj for obj in moved if obj["metadata"].get("namespace") in {None, *there}]
